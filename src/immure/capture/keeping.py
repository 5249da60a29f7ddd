"""What becomes of a core once it is in its spool: sealed as it is, sealed after redaction, or only looked at.

Sealing begins while the core is still coming in: the spool can be read as it grows. A core that is not
wanted to its end, or breaks off at one of our bounds, leaves nothing in the vault.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, Protocol

from immure.capture.crash import Crash
from immure.capture.inspecting import Inspection, Inspector
from immure.capture.intake import Intake
from immure.dumps.detect import parse_image
from immure.dumps.dump import Image, Reader
from immure.dumps.limits import Limits
from immure.errors import CaptureError, ImmureError, RedactionError

Keep = Literal["sealed", "redacted", "nothing"]
KEEP: Final[tuple[Keep, ...]] = ("sealed", "redacted", "nothing")
_PIECE: Final = 1 << 20


class GivenUpError(CaptureError):
    """A core that was not kept; ``kind`` is what it is counted as."""

    def __init__(self, kind: str, reason: str, *, path: str | None = None) -> None:
        super().__init__(reason, path=path)
        self.kind = kind


class SealedDump(Protocol):
    """What is known of a dump in the vault."""

    @property
    def id(self) -> str:
        """``sha256:`` and the digest of its bytes."""

    @property
    def size(self) -> int:
        """Its bytes."""


class Sealer(Protocol):
    """Where cores are kept; a :class:`~immure.vault.Vault` is one."""

    def seal(self, pieces: Iterable[bytes], *, name: str) -> SealedDump:
        """Seal a stream; VaultError, and nothing is left, if that cannot be done."""


@dataclass(frozen=True, slots=True)
class Redacted:
    """A core without its keys: its bytes, and the record of what was erased."""

    reader: Reader
    record: Mapping[str, Any]
    close: Callable[[], None] = lambda: None


class Redactor(Protocol):
    """Takes the keys out of a core, and proves it."""

    def redact(self, path: str, reader: Reader) -> Redacted:
        """Redact what is in ``reader``; RedactionError if that cannot be done or proved."""


class Forwarder(Protocol):
    """Hands a redacted core on to whom it went to before."""

    def forward(self, crash: Crash, pieces: Iterable[bytes]) -> None:
        """Hand it on; CaptureError if it is not taken."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What came of a capture.

    Attributes:
        sealed: the dump in the vault, or None if nothing was to be kept.
        size: bytes of the core as it came.
        signal: that ended the process, if the core tells.
        truncated: whether the core promises more bytes than came.
        inspection: what a scan said, if there was one.
        redaction: the record of the redaction, if there was one.
        note: what went wrong besides, in words.
    """

    sealed: SealedDump | None
    size: int
    signal: int | None = None
    truncated: bool = False
    inspection: Inspection | None = None
    redaction: Mapping[str, Any] | None = None
    note: str | None = None

    @property
    def has_keys(self) -> bool:
        """Whether a private key was found in the core as it came."""
        if self.redaction is not None:
            return bool(self.redaction.get("findings"))
        return self.inspection is not None and bool(self.inspection.keys)

    def to_json(self) -> dict[str, Any]:
        """As JSON has it, without the record of the redaction."""
        return {
            "id": self.sealed.id if self.sealed is not None else None,
            "size": self.size,
            "signal": self.signal,
            "truncated": self.truncated,
            "redacted": self.redaction is not None,
            "scan": self.inspection.to_json() if self.inspection is not None else None,
            "note": self.note,
        }


@dataclass(frozen=True, slots=True)
class Keeper:
    """The policy, and those who carry it out."""

    keep: Keep
    sealer: Sealer
    inspector: Inspector | None = None
    redactor: Redactor | None = None
    forwarder: Forwarder | None = None

    def finish(self, intake: Intake) -> Kept:
        """Do with a core what the policy says; comes back when that is done.

        Raises:
            GivenUpError: nothing of it was kept.
        """
        try:
            return self._finish(intake)
        except GivenUpError:
            raise
        except RedactionError as error:
            raise GivenUpError("redaction", error.reason) from error
        except ImmureError as error:
            raise GivenUpError("vault" if error.code == "vault" else "broken", str(error)) from error

    def _finish(self, intake: Intake) -> Kept:
        if self.keep == "sealed":
            sealed = self.sealer.seal(pieces_of(intake), name=intake.crash.name)
            return self._describe(intake, sealed)
        if self.keep == "redacted":
            return self._redact(intake)
        if intake.is_small:  # by the time that it is here, a scan could hardly have begun
            intake.spool.wait()
        return self._describe(intake)

    def _redact(self, intake: Intake) -> Kept:
        if self.redactor is None:
            raise GivenUpError("redaction", "there is nothing here that redacts")
        redacted = self.redactor.redact(intake.crash.label, intake.spool)
        try:
            _check(intake)
            name = f"{intake.crash.name}.redacted"
            sealed = self.sealer.seal(_pieces(redacted.reader), name=name)
            note = self._forward(replace(intake.crash, signal=_signal(intake)), redacted.reader)
        finally:
            redacted.close()
        return self._describe(intake, sealed, redacted.record, note)

    def _forward(self, crash: Crash, reader: Reader) -> str | None:
        """Why it could not be handed on, if so: it is sealed by then, and not lost."""
        if self.forwarder is not None:
            try:
                self.forwarder.forward(crash, _pieces(reader))
            except CaptureError as error:
                return f"not handed on: {error}"
        return None

    def _describe(
        self,
        intake: Intake,
        sealed: SealedDump | None = None,
        record: Mapping[str, Any] | None = None,
        note: str | None = None,
    ) -> Kept:
        image = image_of(intake)
        inspection = None
        if self.inspector is not None and record is None:
            try:
                inspection = self.inspector.inspect(image)
            except ImmureError as error:  # the dump is sealed by now, and stays so
                note = f"not scanned: {error}"
        _check(intake)
        image.settle()
        size = intake.spool.size or 0
        return Kept(sealed, size, _signal_of(image), bool(image.missing), inspection, record, note)


def image_of(intake: Intake) -> Image:
    """The core as an image, which may still be growing; closing it leaves the spool open."""
    return parse_image(intake.crash.label, intake.spool, Limits())


def _signal(intake: Intake) -> int | None:
    image = image_of(intake)
    image.settle()
    return _signal_of(image)


def _signal_of(image: Image) -> int | None:
    return image.process.signal if image.process is not None else None


def pieces_of(intake: Intake) -> Iterator[bytes]:
    """The core from its beginning to its end, as it comes in.

    Raises:
        GivenUpError: it was given up on the way.
    """
    if not intake.is_in_memory:
        intake.spool.wait()
    yield from _pieces(intake.spool)
    _check(intake)


def _check(intake: Intake) -> None:
    """Wait for the end.

    Raises:
        GivenUpError: it was given up on the way.
    """
    reason = intake.reason()
    if reason is not None:
        raise GivenUpError(*reason)


def _pieces(reader: Reader) -> Iterator[bytes]:
    buffer = memoryview(bytearray(_PIECE))
    offset = 0
    while length := reader.read_into(offset, buffer):
        yield bytes(buffer[:length])
        offset += length
