"""Redacts cores with the room ``redact``: only what was proved comes out.

There is no redacted copy: what is sealed is a view of the encrypted spool in which the keys are filled while
it is read. So a core of any size can be redacted while it comes in.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace

from immure.capture.keeping import Redacted
from immure.dumps.dump import Reader
from immure.keymaterial.key import PublicKey
from immure.redact.options import RedactOptions


class ProvingRedactor:
    """Redacts one core at a time: several at once would take as many times the memory of a search.

    Args:
        keys: public keys to look for besides those in the core.
        options: how. No debugger is asked: it would need a file to read.
    """

    def __init__(self, keys: Sequence[PublicKey], options: RedactOptions) -> None:
        self._keys = keys
        self._options = replace(options, debugger=False)
        self._turn = threading.Lock()

    def redact(self, path: str, reader: Reader) -> Redacted:
        """See :class:`~immure.capture.keeping.Redactor`.

        Raises:
            RedactionError: it cannot be redacted or proved.
        """
        from immure.redact import redact_view

        with self._turn:
            record, view = redact_view(path, reader, keys=self._keys, options=self._options)
        return Redacted(view, record.to_json())
