"""Redacts broken images of every format: there is a copy that differs in the spans only, or a clear refusal.

That the copy holds nothing of the keys is proved at each redaction; what is tried here is whether all of that
can live with whatever a parser made of foreign bytes, and whether a secret gets into a record.
"""

from __future__ import annotations

import gzip
import os

from driver import run
from fuzz_scan import named, planted, secrets
from seeds import images

from immure.dumps.readers import BytesReader
from immure.errors import ImmureError
from immure.redact import RedactOptions, redact_reader
from immure.redact.fill import fill
from immure.scanning.options import ScanOptions

OPTIONS = RedactOptions(
    scan=ScanOptions(threads=1, chunk_bytes=1 << 16),
    texts=("tokens", "cookies", "credentials"),
    most_spans=20_000,
    debugger=False,
)


def check_redact(data: bytes) -> None:
    """Redact what is in ``data``."""
    with os.fdopen(os.memfd_create("fuzz"), "w+b") as out:
        try:
            record = redact_reader("fuzz", BytesReader(data), out, keys=named(), options=OPTIONS)
        except ImmureError as error:
            if not str(error) or "not proved" in str(error):
                raise AssertionError(f"what was erased was not all: {error}") from error
            return
        out.seek(0)
        copy = out.read()
    text = str(record.to_json())
    assert not any(secret in text for secret in secrets()), "a secret is in the record"
    assert record.output.size == len(copy)
    if record.codec is None:
        changed = bytearray(data)
        for span in record.spans:
            changed[span.offset : span.end] = fill(span.offset, span.length)
        assert copy == changed, "more differs than the spans"


if __name__ == "__main__":
    cores = planted()
    others = [data for kind in ("elf", "minidump", "hprof", "lime") for data in images(kind)[:2]]
    run(check_redact, [*cores, *others, gzip.compress(cores[0])])
