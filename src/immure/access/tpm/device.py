"""A TPM of this machine, as far as a workstation's key needs it (TPM 2.0 Library, part 3).

Commands go to a device (``/dev/tpmrm0``, with the kernel's resource manager) or to the Unix socket of a
``swtpm``. Nothing here is persistent in the TPM: keys are wrapped by it, and kept in files.
"""

from __future__ import annotations

import os
import secrets
import socket
import stat
import struct
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from immure.access.errors import AccessError
from immure.access.tpm.structures import SHA256, Reader, sized
from immure.errors import InputError, UsageError

OWNER, ENDORSEMENT, NOBODY = 0x4000_0001, 0x4000_000B, 0x4000_0007
_PASSWORD: Final = 0x4000_0009
_PLAIN, _WITH_SESSIONS = 0x8001, 0x8002
_MOST_BYTES: Final = 4096
_SECONDS: Final = 60.0
_NV_STEP: Final = 512
#: It was interrupted, is testing itself, or yields: TPM_RC_RETRY, TPM_RC_TESTING, TPM_RC_YIELDED.
_AGAIN: Final = (0x922, 0x90A, 0x908)
_TURNS: Final = 20


class TpmError(AccessError):
    """A TPM does not do what it was asked for."""

    code = "tpm"


@dataclass(frozen=True, slots=True)
class Created:
    """A key: its public area, and its private one, which only the TPM can read."""

    public: bytes
    private: bytes


class Tpm:
    """A connection to a TPM; ``with Tpm(path) as tpm``.

    Raises:
        UsageError: nothing is there.
        TpmError: it does not answer, or refuses; of every method.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            if stat.S_ISSOCK(path.stat().st_mode):
                with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as made:
                    made.settimeout(_SECONDS)
                    made.connect(str(path))
                    timeval = struct.pack("ll", int(_SECONDS), 0)
                    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeval)
                    made.setblocking(True)
                    self._handle = os.dup(made.fileno())
            else:
                self._handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            raise UsageError(error.strerror or "no TPM answers there", path=str(path)) from error

    def __enter__(self) -> Tpm:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._handle)

    # --- commands ---

    def create_primary(self, hierarchy: int, template: bytes) -> tuple[int, bytes]:
        """A key that the TPM derives from a seed of its own: its handle, and its public area."""
        body = sized(sized(b"") + sized(b"")) + sized(template) + sized(b"") + struct.pack(">I", 0)
        handle, answer = self._loading(0x131, [hierarchy], body)
        return handle, answer.sized()

    def create(self, parent: int, template: bytes) -> Created:
        """Make a key below another one."""
        body = sized(sized(b"") + sized(b"")) + sized(template) + sized(b"") + struct.pack(">I", 0)
        answer = self._run(0x153, [parent], body)
        private, public = answer.sized(), answer.sized()
        return Created(public, private)

    def load(self, parent: int, key: Created) -> int:
        """Load a key that was made below another one; its handle."""
        handle, _ = self._loading(0x157, [parent], sized(key.private) + sized(key.public))
        return handle

    def flush(self, handle: int) -> None:
        """Forget a key or a session."""
        self._send(_PLAIN, 0x165, struct.pack(">I", handle))

    def sign(self, key: int, scheme: int, digest: bytes) -> bytes:
        """A ``TPMT_SIGNATURE`` by a key that may sign anything, with SHA-256."""
        ticket = struct.pack(">HIH", 0x8024, NOBODY, 0)
        answer = self._run(0x15D, [key], sized(digest) + struct.pack(">HH", scheme, SHA256) + ticket)
        return answer.rest()

    def certify(self, key: int, by: int, extra: bytes) -> tuple[bytes, bytes]:
        """That a key is in this TPM, said by another one: ``TPMS_ATTEST``, and ``TPMT_SIGNATURE``."""
        answer = self._run(0x148, [key, by], sized(extra) + struct.pack(">H", 0x10))
        return answer.sized(), answer.rest()

    def activate(self, key: int, endorsement: int, credential: bytes, secret: bytes) -> bytes:
        """Open what :func:`.credential.make_credential` has made for ``key``."""
        session = self._policy_session()
        try:
            body = credential + secret
            answer = self._run(0x147, [key, endorsement], body, sessions=[_PASSWORD, session])
        finally:
            self._forget(session)
        return answer.sized()

    def read_nv(self, index: int) -> bytes:
        """What is in a part of its own memory, where vendors put certificates."""
        answer = self._send(_PLAIN, 0x169, struct.pack(">I", index))
        public = Reader(answer.sized(), "an index of a TPM")
        public.take(4 + 2 + 4)
        public.sized()
        size, data = public.short(), b""
        while len(data) < size:
            part = min(_NV_STEP, size - len(data))
            answer = self._run(0x14E, [index, index], struct.pack(">HH", part, len(data)), one=True)
            data += answer.sized()
        return data

    # --- underneath ---

    def _policy_session(self) -> int:
        """A session in which the policy of endorsement keys is met (TCG EK Credential Profile, B.3.3)."""
        nonce = sized(secrets.token_bytes(16))
        body = struct.pack(">II", NOBODY, NOBODY) + nonce + sized(b"") + struct.pack(">BHH", 1, 0x10, SHA256)
        answer = self._send(_PLAIN, 0x176, body)
        session = answer.number()
        policy = sized(b"") * 3 + struct.pack(">i", 0)
        self._run(0x151, [ENDORSEMENT, session], policy, one=True)
        return session

    def _forget(self, session: int) -> None:
        """A session that was used up is gone already."""
        try:
            self.flush(session)
        except TpmError:
            return

    def _loading(self, code: int, handles: list[int], body: bytes) -> tuple[int, _Answer]:
        answer = self._run(code, handles, body, loads=True)
        return answer.handle, answer

    def _run(
        self, code: int, handles: list[int], body: bytes, *, sessions: list[int] | None = None,
        one: bool = False, loads: bool = False,
    ) -> _Answer:  # fmt: skip
        """A command with an empty password for each handle (``one``: for the first one only)."""
        used = sessions or [_PASSWORD] * (1 if one else len(handles))
        area = b"".join(struct.pack(">IHBH", one_, 0, 0, 0) for one_ in used)
        front = b"".join(struct.pack(">I", handle) for handle in handles)
        return self._send(_WITH_SESSIONS, code, front + struct.pack(">I", len(area)) + area + body, loads)

    def _send(self, tag: int, code: int, body: bytes, loads: bool = False) -> _Answer:
        command = struct.pack(">HII", tag, 10 + len(body), code) + body
        for turn in range(_TURNS):
            data = self._exchange(command)
            _, _, result = struct.unpack(">HII", data[:10])
            if result not in _AGAIN:
                break
            time.sleep(0.01 * turn)
        if result:
            raise TpmError(f"the TPM refuses command {code:#x}: {result:#x}", path=str(self.path))
        try:
            return _Answer(data[10:], tag == _WITH_SESSIONS, loads)
        except InputError as error:
            raise TpmError(error.reason, path=str(self.path)) from error

    def _exchange(self, command: bytes) -> bytes:
        try:
            os.write(self._handle, command)
            return self._receive()
        except OSError as error:
            raise TpmError(f"the TPM does not answer: {error.strerror}", path=str(self.path)) from error

    def _receive(self) -> bytes:
        """A device gives an answer at once; a socket gives it as it comes."""
        data = os.read(self._handle, _MOST_BYTES)
        while len(data) < 10 or len(data) < struct.unpack(">HI", data[:6])[1]:
            part = os.read(self._handle, _MOST_BYTES)
            if not part or len(data) > _MOST_BYTES:
                raise TpmError("the TPM has hung up", path=str(self.path))
            data += part
        return data


class _Answer(Reader):
    """The parameters of an answer; ``handle`` of what was loaded."""

    def __init__(self, data: bytes, sessions: bool, loads: bool) -> None:
        super().__init__(data, "an answer of the TPM")
        self.handle = self.number() if loads else 0
        if sessions:
            size = self.number()
            super().__init__(self.take(size), "an answer of the TPM")

    def rest(self) -> bytes:
        """All that is left."""
        return self.take(len(self._data) - self._at)
