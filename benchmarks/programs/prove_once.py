"""One timed proof in a process of its own: ``prove_once.py ORIGINAL REDACTED WHAT KEYS THREADS``, JSON on
stdout.

WHAT is ``scan`` (the independent scan of the redacted image), ``compare`` (both images byte by byte),
``prove`` (both in one pass) or ``everything`` (with a debugger). The keys are fresh, so that nothing is
found: that is what the proof of a good redaction looks like. What is timed is the work, from the opened
images to the report.
"""

import json
import sys
import time

from cryptography.hazmat.primitives.asymmetric import rsa

from immure.dumps.open import open_image
from immure.keymaterial.private import rsa_from_parts
from immure.redact.prove import ProveOptions, compare, prove, scan


def make_key():
    """A fresh RSA-2048 key."""
    numbers = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_numbers()
    return rsa_from_parts(numbers.public_numbers.n, 65537, numbers.d, numbers.p, numbers.q)


def main() -> None:
    original, redacted, what, keys, threads = sys.argv[1:]
    secrets = [make_key() for _ in range(int(keys))]
    options = ProveOptions(debugger=what == "everything", threads=int(threads))
    with open_image(original) as before, open_image(redacted) as after:
        begun = time.perf_counter()
        if what == "scan":
            part, _ = scan(after, secrets, options=options)
            ok = part.status == "ok"
        elif what == "compare":
            ok = compare(before, after, [], lambda offset, length: b"", options=options).status == "ok"
        else:
            report = prove(before, after, secrets, [], lambda offset, length: b"", options=options)
            ok = report.complete if what == "everything" else report.ok
        seconds = time.perf_counter() - begun
    json.dump({"seconds": seconds, "ok": ok}, sys.stdout)


main()
