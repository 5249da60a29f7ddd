"""``MailItemsAccessed`` as the Management API spells it, from bytes to columns: a coat over ``c/mailbox.c``.

The kernel takes what is written as nearly all records are, and names the others, which go the slow way one by
one. Both ways give the same rows and the same account. A member that nobody reads is learned, so that a new
one of Microsoft's making costs nothing more than being counted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from immure.detections.sources.block import Block
from immure.detections.sources.documents import ENVELOPES
from immure.detections.sources.gathering import Gathering, Where
from immure.detections.sources.m365 import words
from immure.detections.sources.m365._mailbox import ffi, lib

if TYPE_CHECKING:
    from pyarrow import RecordBatch

Slow = Callable[[bytes, Where, Gathering], None]
#: Columns of the kernel, in its order; those that are not there are the same in all rows.
_TEXTS: Final = (
    "record_id", "action", "mailbox", "mailbox_id", "tenant", "token_tenant", "user", "user_id", "logon",
    "app", "client_app", "client_info", "ip", "session", "token_id",
)  # fmt: skip
_NUMBERS: Final = ("time", "count", "token_iat")
_FLAGS: Final = ("external", "throttled", "succeeded")
_LISTS: Final = ("folders", "messages")
_PLACES: Final = 4 * (len(_TEXTS) + len(_NUMBERS) + len(_FLAGS) + 2 * len(_LISTS))
#: Names of members that are learned of one log.
_MOST_LEARNED: Final = 256
#: What makes a record one of several, or a wrapping of one.
_WRAPPING: Final = frozenset({"_source", "_raw", "result", "tables", *ENVELOPES})
_READ_CONTEXT: Final = frozenset({"aadsessionid", "clientappid", "issuedattime", "uniquetokenid"})
#: Columns around a record in CSV that say nothing if the record itself is whole.
_AROUND: Final = (words.MEMBERS - words.READ) | {
    "auditdata", "creationdate", "creationtime", "id", "identity", "operation", "operations", "recordid",
    "recordtype", "userid", "userids", "workload",
}  # fmt: skip
_IGNORED, _ODD = -2, -1
_UNKNOWN, _FAILED = 1, (2, 3)


class Mailbox:
    """See the module. Holds the rows of one reading, and what was learned of its members; for one thread."""

    def __init__(self, source: str) -> None:
        self._source = source
        handle = lib.mailbox_new()
        if handle == ffi.NULL:
            raise MemoryError("no memory for the columns of a mailbox log")
        self._box = ffi.gc(handle, lib.mailbox_free)
        self._learned = 0
        self._ahead: bytes | None = None
        self._counts = ffi.new("int64_t[4]")
        self._shown: dict[str, int] = {}  # names of members that are counted, with their counters

    def read_ahead(self, body: bytes) -> bool:
        """Whether these are elements of an array with nothing odd among them; then they are read, and their
        block can only be taken."""
        self._ahead = None
        if not self._read(body, array=True):
            return False
        lib.mailbox_counts(self._box, self._counts)
        if self._counts[2]:
            lib.mailbox_undo(self._box)
            return False
        self._ahead = body
        return True

    def take(self, block: Block, out: Gathering, slow: Slow) -> bool:
        """The rows of a block; what is not as it must be goes to ``slow``, one by one."""
        body, ahead = block.body, self._ahead
        self._ahead = None
        if body is not ahead and not self._read(body, array=block.array):
            return False

        def where(start: int, line: int) -> Where:
            return Where(block.offset + start, 0 if block.array else block.line + line)

        odd = self._account(out, where)
        out.read += self._counts[1]
        for start, end, line in zip(odd[::3], odd[1::3], odd[2::3], strict=True):
            piece = body[start:end]
            if piece and not piece.isspace():
                slow(piece, where(start, line), out)
        return True

    def take_texts(self, found: Sequence[tuple[Where, dict[str, str]]], out: Gathering) -> list[int]:
        """The rows of records in a column of CSV, which were counted as read; the places of those that are
        left."""
        everything = list(range(len(found)))
        titles = {title for _, row in found for title in row}
        names = {title.lower() for title in titles}
        if len(names) < len(titles) or "auditdata" not in names or not names <= _AROUND:
            return everything
        title = next(title for title in titles if title.lower() == "auditdata")
        texts = [row.get(title, "") for _, row in found]
        try:
            body = "".join(["\n" if "\n" in text else f"{text}\n" for text in texts]).encode()
        except UnicodeEncodeError:
            return everything
        if not self._read(body, strict=True):
            return everything
        return self._account(out, lambda _, line: found[line][0])[2::3]

    @property
    def rows(self) -> int:
        """See :class:`~immure.detections.sources.gathering.Held`."""
        lib.mailbox_counts(self._box, self._counts)
        return int(self._counts[0])

    def batch(self) -> RecordBatch:
        """See :class:`~immure.detections.sources.gathering.Held`."""
        made = self._batch(self.rows, self._counts[3])
        lib.mailbox_clear(self._box)
        return made

    # --- the kernel ---

    def _read(self, body: bytes, *, array: bool = False, strict: bool = False) -> bool:
        """Whether the kernel has read this. It ends with a zero byte, as all ``bytes`` do."""
        given = ffi.from_buffer("uint8_t[]", body)
        if not lib.mailbox_begin(self._box, given, len(body), array, strict):
            return False  # only if there are more than 2^29 bytes between two chunks
        while (made := lib.mailbox_read(self._box)) == _UNKNOWN:
            self._learn(body)
        return made not in _FAILED

    def _learn(self, body: bytes) -> None:
        """Say what the member is at which the kernel stands."""
        place = ffi.new("int64_t[2]")
        within = bool(lib.mailbox_name(self._box, place))
        name = body[place[0] : place[0] + place[1]]
        small = name.decode("ascii").lower()
        if self._learned >= _MOST_LEARNED:
            lib.mailbox_close(self._box)
        elif lib.mailbox_learn(self._box, name, len(name), within, self._what(small, within=within)):
            self._learned += 1
        else:
            lib.mailbox_close(self._box)

    def _what(self, small: str, *, within: bool) -> int:
        """What a member is of that the kernel does not read."""
        if small in _WRAPPING or small in (_READ_CONTEXT if within else words.READ):
            return _ODD
        if small in (words.CONTEXT if within else words.MEMBERS):
            return _IGNORED
        return self._shown.setdefault(f"AppAccessContext.{small}" if within else small, len(self._shown))

    def _account(self, out: Gathering, where: Callable[[int, int], Where]) -> list[int]:
        """Count the members of a block that are not known; (start, end, line) of each record that is left,
        flat."""
        lib.mailbox_counts(self._box, self._counts)
        if self._shown:
            flat = ffi.new("int64_t[]", 3 * len(self._shown))
            lib.mailbox_counters(self._box, flat, len(self._shown))
            for place, shown in enumerate(self._shown):
                if count := flat[3 * place]:
                    out.partly("field", where(flat[3 * place + 1], flat[3 * place + 2]), shown, count)
        if not (left := self._counts[2]):
            return []
        odd = ffi.new("int64_t[]", 3 * left)
        lib.mailbox_odd(self._box, odd)
        return list(ffi.unpack(odd, 3 * left))

    def _batch(self, rows: int, size: int) -> RecordBatch:
        import pyarrow

        from immure.detections.sources.columns import table

        memory = pyarrow.allocate_buffer(size)
        places = ffi.new("int64_t[]", _PLACES)
        lib.mailbox_lay(self._box, ffi.cast("uint8_t *", memory.address), places)
        flat = ffi.unpack(places, _PLACES)
        made = _Laid(memory, rows, flat)
        columns: dict[str, Any] = {name: made.texts() for name in _TEXTS}
        columns["time"] = made.numbers(pyarrow.timestamp("us", tz="UTC"))
        columns |= {name: made.numbers(pyarrow.int64()) for name in _NUMBERS[1:]}
        columns |= {name: made.numbers(pyarrow.bool_()) for name in _FLAGS}
        columns |= {name: made.lists() for name in _LISTS}
        return table("mail", rows, {"source": self._source, "operation": "MailItemsAccessed", **columns})


class _Laid:
    """Columns as the kernel lays them into one piece of memory, one after the other."""

    def __init__(self, memory: Any, rows: int, places: list[int]) -> None:
        self._memory, self._rows, self._places = memory, rows, iter(places)

    def texts(self) -> Any:
        """The next column, of texts."""
        import pyarrow

        nulls, *places = self._next()
        return pyarrow.Array.from_buffers(
            pyarrow.string(), self._rows, self._parts(nulls, places), null_count=nulls
        )

    def numbers(self, kind: Any) -> Any:
        """The next column, of numbers or flags."""
        import pyarrow

        nulls, *places = self._next()
        return pyarrow.Array.from_buffers(kind, self._rows, self._parts(nulls, places[:2]), null_count=nulls)

    def lists(self) -> Any:
        """The next column, of lists of texts."""
        import pyarrow

        nulls, *places = self._next()
        count, *within = self._next()
        flat = pyarrow.Array.from_buffers(pyarrow.string(), count, self._parts(0, within), null_count=0)
        kind, parts = pyarrow.list_(pyarrow.string()), self._parts(nulls, places[:2])
        return pyarrow.Array.from_buffers(kind, self._rows, parts, null_count=nulls, children=[flat])

    def _next(self) -> list[int]:
        return list(islice(self._places, 4))

    def _parts(self, nulls: int, places: list[int]) -> list[Any]:
        bits, *others = map(self._memory.slice, places)
        return [bits if nulls else None, *others]
