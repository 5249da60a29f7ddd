"""Takes the keys out of a crash dump, and proves that they are gone.

>>> from immure.redact import redact_file                              # doctest: +SKIP
>>> record = redact_file("app.core", "app.redacted.core", keys=keys)   # doctest: +SKIP

From any proof of a key all its secret numbers follow. Every piece of them is erased, in every writing, and
nothing else is touched. A second scanner, which shares no code with the first, and a debugger check the
result: if anything is wrong there is no output.
"""

from immure.redact.options import NamedSecret, RedactOptions
from immure.redact.record import FileDigest, RedactionRecord
from immure.redact.redactor import redact_file, redact_reader, redact_view, write_copy
from immure.redact.span import Span

__all__ = [
    "FileDigest",
    "NamedSecret",
    "RedactOptions",
    "RedactionRecord",
    "Span",
    "redact_file",
    "redact_reader",
    "redact_view",
    "write_copy",
]
