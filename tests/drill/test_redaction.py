"""The redaction drill: crash real signers, redact what is left of them, and let the slow, exhaustive search
look for what must be gone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from drill import images
from drill.hold import PROVES_NOTHING_ALONE
from drill.keys import write_jwks
from drill.launch import Stack
from drill.stacks import FAST, STACKS
from drill.test_drill import ids, need
from immure import load_keys
from immure.redact import RedactionRecord, redact_file
from immure.redact.fill import fill


def check_redaction(stack: Stack, directory: Path, ways: list[str] | None = None) -> None:
    need(stack)
    for image in images.take(stack, directory, stack.kinds, ways=ways):
        jwks = directory / "keys.jwks"
        write_jwks(image.keys, jwks)
        before = image.truth()
        assert before, "there was no key in it: the drill is wrong"
        redacted = replace(image, path=directory / "redacted")
        record = redact_file(image.path, redacted.path, keys=load_keys(jwks))
        found = {finding.key.origin.kid for finding in record.findings}
        # where nothing but an Ed25519 nonce prefix is left of a key, no public key can tell whose it is
        left = {hit for hit in redacted.truth() if hit.kid in found or hit.secret not in PROVES_NOTHING_ALONE}
        assert not left, f"{image.capture}: left over"
        check_rest(image.path, redacted.path, record)
        image.path.unlink()
        redacted.path.unlink()


def check_rest(original: Path, redacted: Path, record: RedactionRecord) -> None:
    """Every byte that is in no span is as it was."""
    data = bytearray(original.read_bytes())
    after = redacted.read_bytes()
    for span in record.spans:
        data[span.offset : span.end] = after[span.offset : span.end]
        assert after[span.offset : span.end] == fill(span.offset, span.length)
    assert data == after
    assert record.proof is not None
    assert record.proof.ok


@pytest.mark.real
@pytest.mark.parametrize("stack", FAST, ids=ids)
def test_a_real_dump_holds_nothing_after_redaction(stack: Stack, tmp_path: Path) -> None:
    check_redaction(stack, tmp_path, images.captures(stack)[-1:])


@pytest.mark.drill
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("stack", STACKS, ids=ids)
def test_no_number_is_left(stack: Stack, tmp_path: Path) -> None:
    check_redaction(stack, tmp_path)
