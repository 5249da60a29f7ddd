"""What becomes of a core under each policy, and that what is given up leaves nothing behind."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from immure.capture.crash import Crash
from immure.capture.drill.canary import make_canary
from immure.capture.inspecting import Inspector
from immure.capture.intake import Intake
from immure.capture.keeping import GivenUpError, Keep, Keeper, Redacted
from immure.dumps.dump import Reader
from immure.dumps.readers import BytesReader
from immure.errors import CaptureError, RedactionError, VaultError
from immure.keymaterial.serialize import to_pkcs8
from immure.synth import CoreThread, Segment, build_elf_core

from .helpers import CRASH, BytesChannel, MemoryVault, core, resources

CANARY = make_canary("p256")


def core_with_key() -> bytes:
    memory = bytearray(5 * 4096)
    der = to_pkcs8(CANARY.private)
    memory[5000 : 5000 + len(der)] = der
    threads = [CoreThread(4711, 0x5000_0010)]
    return build_elf_core([Segment(0x5000_0000, bytes(memory))], threads=threads).data


class Blanker:
    """A redactor that leaves out every byte, or fails."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.closed = 0

    def redact(self, path: str, reader: Reader) -> Redacted:
        reader.wait()
        if self.error is not None:
            raise self.error
        return Redacted(BytesReader(b"-" * (reader.size or 0)), {"findings": [1]}, self.close)

    def close(self) -> None:
        self.closed += 1


class Noter:
    """A forwarder that notes what it gets, or fails."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.got: list[tuple[int | None, bytes]] = []

    def forward(self, crash: Crash, pieces: Iterable[bytes]) -> None:
        if self.error is not None:
            raise self.error
        self.got.append((crash.signal, b"".join(pieces)))


def intake_of(data: bytes, tmp_path: Path, **limits: int) -> Intake:
    return Intake(CRASH, BytesChannel(data), resources(tmp_path, **limits), lambda: None)


def test_sealed_as_it_is(tmp_path: Path) -> None:
    vault, data = MemoryVault(), core_with_key()
    kept = Keeper("sealed", vault, Inspector([CANARY.public])).finish(intake_of(data, tmp_path))
    [dump] = vault.dumps.values()
    assert dump.data == data
    assert dump.name == "core.signer.4711.20261125T010203Z"
    assert (kept.sealed, kept.size, kept.signal, kept.truncated) == (dump, len(data), 6, False)
    assert kept.has_keys
    assert kept.inspection is not None
    [key] = kept.inspection.keys
    assert key["thumbprint"] == CANARY.public.thumbprint
    assert kept.inspection.complete


def test_only_looked_at(tmp_path: Path) -> None:
    vault = MemoryVault()
    kept = Keeper("nothing", vault, Inspector([CANARY.public])).finish(intake_of(core_with_key(), tmp_path))
    assert kept.has_keys
    assert kept.sealed is None
    assert not vault.dumps


def test_redacted_and_handed_on(tmp_path: Path) -> None:
    vault, redactor, forwarder = MemoryVault(), Blanker(), Noter()
    data = core_with_key()
    kept = Keeper("redacted", vault, None, redactor, forwarder).finish(intake_of(data, tmp_path))
    [dump] = vault.dumps.values()
    assert dump.data == b"-" * len(data)
    assert dump.name.endswith(".redacted")
    assert forwarder.got == [(6, dump.data)]
    assert redactor.closed == 1
    assert kept.has_keys
    assert kept.to_json()["redacted"]
    assert kept.note is None


def test_what_cannot_be_handed_on_is_kept(tmp_path: Path) -> None:
    vault = MemoryVault()
    keeper = Keeper(
        "redacted", vault, None, Blanker(), Noter(CaptureError("ended with exit code 1", path="/x"))
    )
    kept = keeper.finish(intake_of(core(), tmp_path))
    assert kept.note == "not handed on: /x: ended with exit code 1"
    assert len(vault.dumps) == 1


class FailingVault(MemoryVault):
    def seal(self, pieces: Iterable[bytes], *, name: str) -> object:  # type: ignore[override]
        raise VaultError("cannot be written: No space left on device", path="/vault")


@pytest.mark.parametrize(
    ("keeper", "kind"),
    [
        (lambda vault: Keeper("redacted", vault), "redaction"),
        (
            lambda vault: Keeper("redacted", vault, None, Blanker(RedactionError("cannot be proved"))),
            "redaction",
        ),
        (lambda vault: Keeper("sealed", FailingVault()), "vault"),
    ],
)
def test_what_is_not_kept(tmp_path: Path, keeper: object, kind: str) -> None:
    vault = MemoryVault()
    with pytest.raises(GivenUpError) as caught:
        keeper(vault).finish(intake_of(core(), tmp_path))  # type: ignore[operator]
    assert caught.value.kind == kind
    assert not vault.dumps


@pytest.mark.parametrize("keep", ["sealed", "redacted", "nothing"])
@pytest.mark.parametrize(
    ("data", "limits", "kind"),
    [
        (b"", {}, "empty"),
        (core(600), {"max_size": 4096}, "size"),
        (core(600), {"memory": 0, "disk": 0}, "disk-limit"),
    ],
    ids=["empty", "size", "disk-limit"],
)
def test_what_was_given_up_on_the_way_leaves_nothing(
    tmp_path: Path, keep: Keep, data: bytes, limits: dict[str, int], kind: str
) -> None:
    vault = MemoryVault()
    keeper = Keeper(keep, vault, Inspector(), Blanker())
    with pytest.raises(GivenUpError) as caught:
        keeper.finish(intake_of(data, tmp_path, **limits))
    assert caught.value.kind == kind
    assert not vault.dumps


def test_a_core_that_breaks_off_is_kept_and_said_to_be_truncated(tmp_path: Path) -> None:
    vault = MemoryVault()
    kept = Keeper("sealed", vault).finish(intake_of(core()[:-5000], tmp_path))
    assert kept.truncated
    assert len(vault.dumps) == 1


@pytest.mark.parametrize("data", [b"x", b"\x7fELF", b"\x7fELF\2\1\1" + bytes(60), b"text" * 5000])
def test_what_is_no_core_is_kept_all_the_same(tmp_path: Path, data: bytes) -> None:
    vault = MemoryVault()
    kept = Keeper("sealed", vault, Inspector()).finish(intake_of(data, tmp_path))
    assert kept.size == len(data)
    assert [dump.data for dump in vault.dumps.values()] == [data]
