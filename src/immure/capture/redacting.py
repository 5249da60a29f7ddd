"""Redacts cores with the room ``redact``: only what was proved comes out.

The redacted copy is in memory (an unnamed ``memfd``) until it is sealed: before the proof it may hold what it
must not, so it must not be in a file. That bounds the size of a core that can be redacted while it is
captured; a larger one can be sealed as it is and redacted later.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import BinaryIO, cast

from immure.capture.keeping import Redacted
from immure.dumps.dump import Reader
from immure.dumps.readers import FileReader
from immure.dumps.spool import SpoolReader
from immure.errors import RedactionError
from immure.keymaterial.key import PublicKey
from immure.redact.options import RedactOptions


class ProvingRedactor:
    """Redacts one core at a time.

    Args:
        keys: public keys to look for besides those in the core.
        options: how. No debugger is asked: it would need a file to read.
        most_bytes: of a core that is redacted.
    """

    def __init__(self, keys: Sequence[PublicKey], options: RedactOptions, most_bytes: int) -> None:
        self._keys = keys
        self._options = replace(options, debugger=False)
        self._most_bytes = most_bytes
        self._turn = threading.Lock()

    def redact(self, path: str, reader: Reader) -> Redacted:
        """See :class:`~immure.capture.keeping.Redactor`.

        Raises:
            RedactionError: it cannot be redacted or proved, or is too large.
        """
        reader.wait()
        # zeros become holes, which take no room
        size = reader.stored_bytes if isinstance(reader, SpoolReader) else reader.size or 0
        if size > self._most_bytes:
            raise RedactionError(f"with {size} bytes is too large to be redacted in memory", path=path)
        self._turn.acquire()
        try:
            return self._redact(path, reader)
        except BaseException:
            self._turn.release()
            raise

    def _redact(self, path: str, reader: Reader) -> Redacted:
        from immure.redact import redact_reader

        out = cast(BinaryIO, os.fdopen(os.memfd_create("immure redacted", os.MFD_CLOEXEC), "w+b"))
        try:
            record = redact_reader(path, reader, out, keys=self._keys, options=self._options)
            out.flush()
            copy = FileReader(os.dup(out.fileno()), path)
        except BaseException:
            out.close()
            raise

        def close() -> None:
            copy.close()
            out.close()
            self._turn.release()

        return Redacted(copy, record.to_json(), close)
