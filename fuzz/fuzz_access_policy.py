"""Feeds broken policies of rooms, and tests of policies: none lets in what no policy may let in."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from driver import run

from immure.access.policy import LEAST_APPROVERS, LEAST_KEYS, MOST_HOURS
from immure.access.policy_file import parse_policy
from immure.access.policy_tests import run_tests
from immure.errors import PolicyError

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from access.rooms import policy_text
from access.test_policy import TESTS

SECONDS = 2.0
TEXT = policy_text()
GOOD = parse_policy(TEXT.encode())


def check(data: bytes) -> None:
    """An error that is ours, or a policy that keeps the floors."""
    begun = time.thread_time()
    _tests(data)
    try:
        policy = parse_policy(data, "fuzz")
    except PolicyError:
        pass
    else:
        assert policy.models
        assert policy.people.least_keys >= LEAST_KEYS
        assert policy.people.approvers >= LEAST_APPROVERS
        for rule in policy.rules:
            assert rule.approvers >= LEAST_APPROVERS
            assert 1 <= rule.hours <= MOST_HOURS
        for origin in policy.party.origins:
            assert policy.party.id in origin
    assert time.thread_time() - begun < SECONDS


def _tests(data: bytes) -> None:
    try:
        results = run_tests(GOOD, TEXT, data, "fuzz")
    except PolicyError:
        return
    for result in results:
        assert result.words


if __name__ == "__main__":
    run(check, [TEXT.encode(), TESTS.encode()])
