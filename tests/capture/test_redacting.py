"""Redaction while capturing: of a spool, one at a time, without a copy."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from immure.capture.channel import Channel
from immure.capture.drill.canary import make_canary
from immure.capture.intake import Intake
from immure.capture.redacting import ProvingRedactor
from immure.errors import RedactionError
from immure.redact.options import RedactOptions
from immure.scanning.options import ScanOptions

from .helpers import CRASH, BytesChannel, core, resources
from .test_keeping import CANARY, core_with_key

OPTIONS = RedactOptions(scan=ScanOptions(threads=1))


def intake_of(channel: Channel, tmp_path: Path) -> Intake:
    return Intake(CRASH, channel, resources(tmp_path, memory=0), lambda: None)


def test_only_the_key_is_gone(tmp_path: Path) -> None:
    data = core_with_key()
    intake = intake_of(BytesChannel(data), tmp_path)
    redacted = ProvingRedactor([CANARY.public], OPTIONS).redact("core", intake.spool)
    copy = redacted.reader.read(0, len(data) + 1)
    redacted.close()
    intake.close()
    assert len(copy) == len(data)
    changed = [at for at in range(len(data)) if copy[at] != data[at]]
    assert 32 <= len(changed) <= 160
    assert b"-immure-redacted" in copy
    assert [finding["key"]["thumbprint"] for finding in redacted.record["findings"]] == [
        CANARY.public.thumbprint
    ]
    assert list(tmp_path.iterdir()) == []


def test_the_next_one_has_its_turn_after_one_that_failed(tmp_path: Path) -> None:
    redactor = ProvingRedactor([make_canary("p256").public], OPTIONS)
    with pytest.raises(RedactionError):
        redactor.redact("core", intake_of(BytesChannel(core()[:-5000]), tmp_path).spool)
    for _ in range(2):
        redactor.redact("core", intake_of(BytesChannel(core()), tmp_path).spool).close()


def test_a_core_that_breaks_off_is_not_redacted(tmp_path: Path) -> None:
    redactor = ProvingRedactor([], OPTIONS)
    with pytest.raises(RedactionError):
        redactor.redact("core", intake_of(BytesChannel(core()[:-5000]), tmp_path).spool)


def test_it_waits_for_the_end(tmp_path: Path) -> None:
    gate, done = threading.Event(), threading.Event()
    intake = intake_of(BytesChannel(core(), gate=gate), tmp_path)

    def redact() -> None:
        ProvingRedactor([], OPTIONS).redact("core", intake.spool).close()
        done.set()

    threading.Thread(target=redact, daemon=True).start()
    assert not done.wait(0.1)
    gate.set()
    assert done.wait(30)
