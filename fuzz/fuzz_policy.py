"""Feeds broken policies, tests of policies, and names of destinations to immure.transfer."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from driver import run

from immure.errors import PolicyError, UsageError
from immure.transfer.places import parse_place
from immure.transfer.policy import parse_policy
from immure.transfer.policy_tests import run_tests

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from transfer import material

SECONDS = 2.0  # of computing for one input, which is far more than any needs
KEY = b'{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}'
POLICY = material.POLICY.replace("{out}", "/srv/debug").encode()
TESTS = b"""version = 1
[[test]]
name = "quick"
change = { "searched.mode" = "quick", "proof.checks.0.status" = "failed" }
facts = { size = "5 MiB", destination = "s3://bucket/x", clearance_age = "25h", signers = [] }
expect = "deny"
rule = "mode"
"""
GOOD = parse_policy(POLICY, "good", lambda name: KEY)


def check_policy(data: bytes) -> None:
    """An error that is ours, or a policy that only lets out what it says."""
    begun = time.thread_time()
    try:
        _destination(data)
        _tests(data)
        policy = parse_policy(data, "fuzz", lambda name: KEY)
        assert policy.signers.threshold >= 1
        assert len(policy.signers.allowed) >= policy.signers.threshold
        assert 0 <= policy.findings.max_residual <= 1
        assert policy.path == "fuzz"
    finally:
        assert time.thread_time() - begun < SECONDS


def _destination(data: bytes) -> None:
    try:
        place = parse_place(data.decode("utf-8", "replace"))
    except UsageError:
        return
    assert parse_place(place.url) == place


def _tests(data: bytes) -> None:
    try:
        results = run_tests(GOOD, data, "fuzz", lambda name: b"{}")
    except PolicyError:
        return
    for result in results:
        assert result.words


if __name__ == "__main__":
    urls = [
        b"file:///srv/debug",
        b"s3://bucket/prefix/x",
        b"sftp://debug.example:2222/in",
        b"sftp://[::1]:22/x",
    ]
    run(check_policy, [POLICY, TESTS, *urls])
