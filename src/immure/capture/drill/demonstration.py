"""Small programs that hold a key as carefully as exclusion flags allow, sign with it, and wait.

    python -m immure.capture.drill.demonstration MODE KEY.pem

All sign through OpenSSL (libcrypto, by ctypes). They differ in where the key is:

    plain          wherever OpenSSL puts it
    dontdump       its PEM text in a mapping with MADV_DONTDUMP, from where OpenSSL takes it to sign
    dontdump-or    the same with MADV_DONTDUMP | MADV_RANDOM: these are numbers, not flags, and together they
                   are MADV_DODUMP; the kernel does that, and says nothing
    memfd-secret   the same in memory from memfd_secret(2), which not even the kernel reads
    secure-heap    in OpenSSL's secure heap, which is locked, guarded, and excluded from dumps
"""

from __future__ import annotations

import ctypes
import mmap
import os
import sys
import time
from collections.abc import Callable
from ctypes import c_char_p, c_int, c_size_t, c_void_p
from functools import partial
from typing import Any, Final

MODES: Final = ("plain", "dontdump", "dontdump-or", "memfd-secret", "secure-heap")
_MADV_RANDOM: Final = 1
_MADV_DONTDUMP: Final = 16
_MEMFD_SECRET: Final = 447  # the same number on all architectures that have it
_LIBRARIES: Final = ("libcrypto.so.3", "libcrypto.so.1.1", "libcrypto.so")
_SIGNATURES: Final = 50
_SECURE_BYTES: Final = 1 << 20
_MESSAGE: Final = b"a drill"


def why_not(mode: str) -> str | None:
    """Why a demonstration cannot be shown here; None if it can."""
    if _libcrypto() is None:
        return "there is no libcrypto (OpenSSL) that Python can load"
    if mode == "memfd-secret":
        descriptor = _memfd_secret()
        if descriptor < 0:
            return f"memfd_secret: {os.strerror(ctypes.get_errno())}"
        os.close(descriptor)
    return None


def _libcrypto() -> Any:
    for name in _LIBRARIES:
        try:
            library = ctypes.CDLL(name)
        except OSError:
            continue
        _declare(library)
        return library
    return None


def _declare(library: Any) -> None:
    pointer = c_void_p
    for name, result, arguments in (
        ("CRYPTO_secure_malloc_init", c_int, (c_size_t, c_size_t)),
        ("BIO_new_file", pointer, (c_char_p, c_char_p)),
        ("BIO_new_mem_buf", pointer, (pointer, c_int)),
        ("BIO_free", c_int, (pointer,)),
        ("PEM_read_bio_PrivateKey", pointer, (pointer, pointer, pointer, pointer)),
        ("EVP_PKEY_free", None, (pointer,)),
        ("EVP_MD_CTX_new", pointer, ()),
        ("EVP_MD_CTX_free", None, (pointer,)),
        ("EVP_sha256", pointer, ()),
        ("EVP_DigestSignInit", c_int, (pointer, pointer, pointer, pointer, pointer)),
        ("EVP_DigestSign", c_int, (pointer, c_char_p, pointer, c_char_p, c_size_t)),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments


def _memfd_secret() -> int:
    return int(ctypes.CDLL(None, use_errno=True).syscall(_MEMFD_SECRET, 0))


def _sign(library: Any, key: int, digest: int | None) -> None:
    context = library.EVP_MD_CTX_new()
    signature, length = ctypes.create_string_buffer(1024), c_size_t(1024)
    ok = library.EVP_DigestSignInit(context, None, digest, None, key)
    ok = ok and library.EVP_DigestSign(context, signature, ctypes.byref(length), _MESSAGE, len(_MESSAGE))
    library.EVP_MD_CTX_free(context)
    if ok != 1:
        raise RuntimeError("OpenSSL cannot sign")


def _sign_often(library: Any, key: int) -> None:
    """With SHA-256, or, if the key wants none (Ed25519), without."""
    for _ in range(_SIGNATURES):
        try:
            _sign(library, key, library.EVP_sha256())
        except RuntimeError:
            _sign(library, key, None)


def _load(library: Any, source: int) -> int:
    key = library.PEM_read_bio_PrivateKey(source, None, None, None)
    library.BIO_free(source)
    if not key:
        raise RuntimeError("OpenSSL cannot read the key")
    return int(key)


def _keep_loaded(library: Any, path: str) -> object:
    """Load the key as most programs do, sign, and keep it."""
    key = _load(library, library.BIO_new_file(path.encode(), b"r"))
    _sign_often(library, key)
    return key


def _keep_in(memory: mmap.mmap, library: Any, path: str) -> object:
    """Read the file right into the memory, and load the key from there for as long as it takes to sign."""
    descriptor = os.open(path, os.O_RDONLY)
    length = os.readv(descriptor, [memory])
    os.close(descriptor)
    view = (ctypes.c_char * len(memory)).from_buffer(memory)
    key = _load(library, library.BIO_new_mem_buf(ctypes.addressof(view), length))
    _sign_often(library, key)
    library.EVP_PKEY_free(key)
    return memory, view


def _plain(library: Any, path: str) -> object:
    return _keep_loaded(library, path)


def _secure_heap(library: Any, path: str) -> object:
    if library.CRYPTO_secure_malloc_init(_SECURE_BYTES, 16) < 1:
        raise RuntimeError("OpenSSL has no secure heap")
    return _keep_loaded(library, path)


def _advised(advice: int, library: Any, path: str) -> object:
    memory = mmap.mmap(-1, 1 << 16)
    memory.madvise(advice)
    return _keep_in(memory, library, path)


def _secret(library: Any, path: str) -> object:
    descriptor = _memfd_secret()
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), "memfd_secret")
    os.ftruncate(descriptor, 1 << 16)
    return _keep_in(mmap.mmap(descriptor, 1 << 16), library, path)


_KEEP: Final[dict[str, Callable[[Any, str], object]]] = {
    "plain": _plain,
    "dontdump": partial(_advised, _MADV_DONTDUMP),
    "dontdump-or": partial(_advised, _MADV_DONTDUMP | _MADV_RANDOM),
    "memfd-secret": _secret,
    "secure-heap": _secure_heap,
}


def main(arguments: list[str]) -> None:
    """Hold the key, sign, say ``ready``, and wait to be crashed."""
    mode, path = arguments
    kept = _KEEP[mode](_libcrypto(), path)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while kept:
        time.sleep(60)


if __name__ == "__main__":
    main(sys.argv[1:])
