"""``file+unsafe:`` private keys in files of this process: for trials, and said so wherever they are used.

The keys are in the memory of the very process that parses what clients send. A crash dump of it has them.
"""

from __future__ import annotations

import asyncio
import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from immure.custody.file_signer import FileSigner, open_file
from immure.custody.generate import generate
from immure.errors import SignerError
from immure.keymaterial.key import PublicKey
from immure.signing.keys import TokenKeys
from immure.signing.rotation import Plan

_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,100}[a-z0-9])?")
#: Bytes of one of the two numbers of an ECDSA signature in a JWS (RFC 7518, section 3.4).
_HALF: Final = {"ES256": 32, "ES384": 48}


class FileKeys(TokenKeys):
    """A directory with a file ``KID.pem`` for each key."""

    warning = (
        "UNSAFE custody: private keys are in this process's memory, and in its crash dumps; for trials only"
    )

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        super().__init__()
        self._directory = Path(directory)
        self._signers: dict[str, FileSigner] = {}
        self._threads = ThreadPoolExecutor(max_workers=os.cpu_count() or 1, thread_name_prefix="immure-sign")

    def generate(self, kid: str, plan: Plan) -> PublicKey:
        """See :meth:`KeyMaker.generate`."""
        path = self._path(kid)
        if not path.exists():
            try:
                self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            except OSError as error:
                raise SignerError(error.strerror or "cannot be made", path=str(self._directory)) from error
            generate(path, plan.algorithm, bits=plan.bits)
        return self._signer(kid, plan.algorithm).public

    def destroy(self, kid: str) -> None:
        """See :meth:`KeyMaker.destroy`."""
        signer = self._signers.pop(kid, None)
        if signer is not None:
            signer.close()
        for path in (self._path(kid), self._path(kid).with_suffix(".pem.pub")):
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise SignerError(error.strerror or "cannot be removed", path=str(path)) from error

    async def sign(self, kid: str, algorithm: str, signed: bytes) -> bytes:
        """See :meth:`TokenKeys.sign`."""
        signer = self._signers.get(kid) or self._signer(kid, algorithm)
        loop = asyncio.get_running_loop()
        # OpenSSL lets go of Python's lock while it works, so that several cores sign
        raw = await loop.run_in_executor(self._threads, signer.sign, signed)
        self._count(kid)
        return jws_signature(algorithm, raw)

    async def aclose(self) -> None:
        """See :meth:`TokenKeys.aclose`."""
        self._threads.shutdown(wait=True)
        for signer in self._signers.values():
            signer.close()

    def _signer(self, kid: str, algorithm: str) -> FileSigner:
        signer = self._signers.get(kid)
        if signer is None:
            option = f"?alg={algorithm}" if algorithm in ("RS256", "PS256") else ""
            signer = self._signers[kid] = open_file(f"file:{self._path(kid)}{option}")
        return signer

    def _path(self, kid: str) -> Path:
        if not _NAME.fullmatch(kid):
            raise SignerError(f"{kid[:80]!a} is no name of a key")
        return self._directory / f"{kid}.pem"


def jws_signature(algorithm: str, raw: bytes) -> bytes:
    """A signature as JWS has it: of ES256 and ES384 the two numbers, not the DER around them."""
    if algorithm not in _HALF:
        return raw
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

    first, second = decode_dss_signature(raw)
    return first.to_bytes(_HALF[algorithm], "big") + second.to_bytes(_HALF[algorithm], "big")
