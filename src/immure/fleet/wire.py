"""Values on their way between coordinator and workers.

They are pickled, and taken apart again by a reader that makes nothing but the plain values listed here: a
worker that was taken over can send wrong results, but it cannot run code in the coordinator by them. (What
distributed itself does with its messages is another matter: see ``docs/howto/scan-a-fleet.md``.)

>>> unpack(pack((1, "two")))
(1, 'two')

A :class:`~immure.secret.Secret` cannot be packed at all.
"""

from __future__ import annotations

import io
import pickle
from importlib import import_module
from typing import Any, ClassVar, Final

from immure.fleet.errors import WireError

#: Longest message in bytes.
MOST_BYTES: Final = 256 << 20
_MAGIC: Final = b"immure-fleet-1 "
#: Classes that may cross, by module. Values only: making one runs nothing of anybody else.
_KNOWN: Final[dict[str, frozenset[str]]] = {
    "immure.keymaterial.key": frozenset({"RsaNumbers", "EcNumbers", "OkpNumbers", "Origin", "PublicKey"}),
    "immure.keymaterial.sketch": frozenset({"Sketch", "SketchedSecret", "SketchString"}),
    "immure.keymaterial.sketch_key": frozenset({"OctKey", "OctNumbers"}),
    "immure.dumps.dump": frozenset({"Region", "Missing", "Process", "Thread"}),
    "immure.scanning.finding": frozenset({"Finding", "ImageReport", "NotSearched", "Occurrence", "Partial"}),
    "immure.scanning.options": frozenset({"ScanOptions"}),
    "immure.scanning.plan": frozenset({"Counts"}),
    "immure.fleet.tasks": frozenset(
        {"Place", "Question", "Pointer", "Tally", "Look", "Whole", "Survey", "Search", "Sweep"}
    ),
    "immure.fleet.results": frozenset(
        {"Looked", "Scanned", "Surveyed", "Searched", "Swept", "Failure", "Rank"}
    ),
    "datetime": frozenset({"datetime", "timezone", "timedelta"}),
}


#: What messages of protocol 5 are written with. Others would let one allocate what it likes.
_OPCODES: Final = (
    b"\x80\x95.(]})\x8fJKM\x8a\x8bGX\x8c\x8dBC\x8eN\x88\x89t\x85\x86\x87aesu\x90\x91\x93\x81\x92Rb\x94hj01"
)
# the reader written in Python keeps its notes in a dict; the one in C makes an array as long as it is told to
_Unpickler: Final[Any] = pickle._Unpickler


class _Reader(_Unpickler):  # type: ignore[misc]
    dispatch: ClassVar = {code: _Unpickler.dispatch[code] for code in _OPCODES if code in _Unpickler.dispatch}

    def find_class(self, module: str, name: str) -> Any:
        if name in _KNOWN.get(module, ()):
            return getattr(import_module(module), name)
        raise WireError(f"holds a {module}.{name}, which no message of ours does"[:200])

    def persistent_load(self, pid: Any) -> Any:
        raise WireError("holds a reference to something elsewhere")


def version() -> str:
    """The release that packs: both sides must be the same, because the shapes are those of the code."""
    from immure.scanning.report import tool

    return tool.version()


def pack(value: object) -> bytes:
    """``value`` as bytes.

    Raises:
        WireError: it holds a secret, or something else that does not travel.
    """
    try:
        return _MAGIC + version().encode() + b"\n" + pickle.dumps(value, protocol=5)
    except (TypeError, pickle.PicklingError, AttributeError) as error:
        raise WireError(f"cannot be sent: {error}") from error


def unpack(data: bytes) -> Any:
    """The value that was packed.

    Raises:
        WireError: the bytes are none of ours, too many, or of another release.
    """
    if len(data) > MOST_BYTES:
        raise WireError(f"{len(data)} bytes in one message: the limit is {MOST_BYTES}")
    head, newline, body = data[:100].partition(b"\n")
    if not newline or not head.startswith(_MAGIC):
        raise WireError("is no message of a fleet")
    theirs = head[len(_MAGIC) :].decode("ascii", "backslashreplace")
    if theirs != version():
        raise WireError(f"comes from Immure {theirs}; here is {version()}: both sides must be the same")
    del body
    try:
        return _Reader(io.BytesIO(data[len(head) + 1 :])).load()
    except WireError:
        raise
    except Exception as error:
        raise WireError(f"cannot be taken apart: {type(error).__name__}") from error
