"""A witness: remembers how far it has seen each log, and signs only what continues that.

    witness = Witness(directory, signer, {"login.example/ledger": key_of_the_log})
    line = witness.add_checkpoint(body)     # what POST /add-checkpoint has in its body

Who runs a log can sign two histories of it, and show each to another. Not if a witness, run by somebody else,
must have signed what is shown: it signs one history only. This is the side of the witness of C2SP
tlog-witness; :func:`ask_witness` makes the body on the side of the log.

Source: https://c2sp.org/tlog-witness
"""

from __future__ import annotations

import base64
import fcntl
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from immure import clock
from immure.auditlog.checkpoint import Checkpoint, parse_checkpoint
from immure.auditlog.cosignature import CosignatureKey, cosign
from immure.auditlog.log import AuditLog
from immure.auditlog.note import MAX_NOTE_BYTES, NoteKey, NoteSigner, decode_base64
from immure.auditlog.proofs import ConsistencyProof
from immure.auditlog.tree import EMPTY_ROOT, HASH_BYTES
from immure.errors import LogError
from immure.files import write_whole

#: Hashes of the longest proof, as the protocol has it.
_MOST_HASHES = 63
#: Bytes of the longest body.
MAX_BODY_BYTES = MAX_NOTE_BYTES + 64 * _MOST_HASHES + 64
_OLD = re.compile(r"old (0|[1-9][0-9]{0,18})")


class WitnessError(LogError):
    """The witness does not sign.

    Attributes:
        status: of HTTP, as the protocol has it: 400 no request, 403 not signed by the log's key, 404 a log
            that the witness does not know, 409 the witness has seen another size, 422 the proof is wrong.
        size: what the witness has seen last, for 409.
    """

    code = "witness"

    def __init__(self, status: int, reason: str, size: int | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.size = size


class Witness:
    """Keeps one file for each log: the last checkpoint that it signed; and the proof, if it was shown two
    histories of one.

    Args:
        directory: of these files; made if it is not there.
        signer: with the witness's own name and key.
        logs: which logs, by their origin, and the keys of these.
        time: where the time is from.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        signer: NoteSigner,
        logs: Mapping[str, NoteKey],
        *,
        time: clock.Clock = clock.now,
    ) -> None:
        self._directory = Path(directory)
        self._signer = signer
        self._logs = dict(logs)
        self._time = time
        self.key = CosignatureKey(signer.name, signer.public_key)
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LogError(error.strerror or "cannot be made", path=str(self._directory)) from error

    def seen(self, origin: str) -> Checkpoint | None:
        """The last checkpoint of a log that this witness signed."""
        path = self._path(origin)
        try:
            with path.open("rb") as stream:
                return parse_checkpoint(stream.read(MAX_NOTE_BYTES + 1), path=str(path))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise LogError(error.strerror or "cannot be read", path=str(path)) from error

    def add_checkpoint(self, body: bytes) -> str:
        """Sign a checkpoint, if it continues the last one; it is remembered before it is signed.

        Args:
            body: ``old SIZE``, the hashes of a consistency proof in base64, a blank line, the signed note.

        Returns:
            The line of the cosignature.

        Raises:
            WitnessError: it is not signed; ``status`` says why.
            LogError: the witness's own files cannot be read or written.
        """
        old, hashes, checkpoint = _parse(body)
        key = self._logs.get(checkpoint.origin)
        if key is None:
            raise WitnessError(404, "this witness does not know the log")
        try:
            checkpoint.verify(key)
        except LogError as error:
            raise WitnessError(403, f"not signed by the log: {error.reason}") from error
        with self._exclusive():
            self._continues(checkpoint, old, hashes)
            try:
                write_whole(self._path(checkpoint.origin), checkpoint.note)
            except OSError as error:
                raise LogError(error.strerror or "cannot be written", path=str(self._directory)) from error
            return cosign(checkpoint, self._signer, int(self._time().timestamp()))

    def _continues(self, checkpoint: Checkpoint, old: int, hashes: tuple[bytes, ...]) -> None:
        last = self.seen(checkpoint.origin)
        size, root = (last.size, last.root) if last else (0, EMPTY_ROOT)
        if old > checkpoint.size:
            raise WitnessError(400, "the old size is greater than the new one")
        if old != size:
            raise WitnessError(409, f"this witness has seen the log with {size} entries", size)
        if last and size == checkpoint.size and root != checkpoint.root:
            self._keep_proof(last, checkpoint)
            raise WitnessError(409, "two states of one size: the log has two histories", size)
        try:
            ConsistencyProof(old, checkpoint.size, hashes).verify(root, checkpoint.root)
        except LogError as error:
            raise WitnessError(422, f"the proof does not hold: {error.reason}") from error

    def _keep_proof(self, first: Checkpoint, second: Checkpoint) -> None:
        """Two states of one size, both signed by the log, prove to everybody that it has two histories. The
        first such pair is kept, in ``….fork-1`` and ``….fork-2``."""
        places = [self._path(first.origin, f"fork-{number}") for number in (1, 2)]
        if all(place.exists() for place in places):
            return
        try:
            for place, one in zip(places, (first, second), strict=True):
                write_whole(place, one.note)
        except OSError as error:
            raise LogError(error.strerror or "cannot be written", path=str(self._directory)) from error

    def _path(self, origin: str, kind: str = "checkpoint") -> Path:
        return self._directory / f"{sha256(origin.encode()).hexdigest()}.{kind}"

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        """One at a time, in whatever process: two that read the same state could sign two histories."""
        try:
            handle = os.open(self._directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise LogError(error.strerror or "cannot be locked", path=str(self._directory)) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def ask_witness(log: AuditLog, old: int) -> bytes:
    """The body by which a log asks a witness, which has last seen it with ``old`` entries, to sign.

    Raises:
        LogError: the log was never of that size, or has been altered.
    """
    checkpoint = log.checkpoint()
    proof = log.consistency_proof(old)
    if proof.size != checkpoint.size:
        raise LogError("the log was appended to at this moment", path=str(log.directory))
    lines = [f"old {old}", *(base64.b64encode(one).decode() for one in proof.hashes), "", ""]
    return "\n".join(lines).encode() + checkpoint.note


def witnessed(note: bytes, lines: str) -> bytes:
    """A checkpoint with the lines of witnesses below it.

    Raises:
        LogError: together they are no signed note.
    """
    made = note + lines.encode()
    if parse_checkpoint(made) != parse_checkpoint(note):
        raise LogError("the answer of the witness changes the checkpoint")
    return made


def _parse(body: bytes) -> tuple[int, tuple[bytes, ...], Checkpoint]:
    if len(body) > MAX_BODY_BYTES:
        raise WitnessError(400, "a request that is too long")
    head, blank, note = body.partition(b"\n\n")
    try:
        first, *lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError:
        raise WitnessError(400, "a request that is not ASCII above the checkpoint") from None
    old = _OLD.fullmatch(first)
    if old is None or not blank or len(lines) > _MOST_HASHES:
        raise WitnessError(400, "not a request: old size, hashes, a blank line, a checkpoint")
    hashes = [decode_base64(line) for line in lines]
    found = tuple(one for one in hashes if one is not None and len(one) == HASH_BYTES)
    if len(found) != len(lines):
        raise WitnessError(400, "a line of the proof is no hash")
    try:
        return int(old[1]), found, parse_checkpoint(note)
    except LogError as error:
        raise WitnessError(400, error.reason) from error
