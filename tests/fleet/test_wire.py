"""What travels: plain values of ours, and nothing else."""

from __future__ import annotations

import os
import pickle
from dataclasses import fields, is_dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from immure.fleet import results, tasks, wire
from immure.fleet.errors import WireError
from immure.fleet.results import Failure, Rank, Scanned, Surveyed
from immure.fleet.tasks import Place, Question, Search, Sweep, Tally
from immure.keymaterial.sketch_make import sketch_of
from immure.scanning.finding import ImageReport
from immure.scanning.options import ScanOptions
from immure.secret import Secret
from scanning.material import private, public

KEYS = tuple(public(kind) for kind in ("RSA-1024", "P-256", "Ed25519"))
SKETCH = sketch_of([("api", "hs256", bytes(range(7, 39)))], allow_guessable=True)
PLACE = Place("s3://b/k", 10, "ETag=1")
VALUES = (
    Question(ScanOptions(sketches=(SKETCH,)), KEYS),
    Search(PLACE, 0, 10, Tally(), ((KEYS[0], "harvested"),)),
    Sweep(PLACE, 0, 10, Tally(), (tasks.Pointer(KEYS[0], 5, 0, 10),)),
    Scanned((ImageReport("x", "raw", 10),), ((0, 10),)),
    Surveyed(Tally(), ((KEYS[1], "unnamed"),), ((0, 10),)),
    Failure("broken", passes=True),
    Rank((False, 1, 2), "words", 2),
)


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_what_is_ours_comes_back(value: object) -> None:
    back = wire.unpack(wire.pack(value))
    if isinstance(value, Question):  # a sketch is equal to itself only
        assert back.keys == value.keys
        assert back.options.sketches[0].secrets == SKETCH.secrets
    else:
        assert back == value


def test_every_task_and_result_is_known_to_the_wire() -> None:
    for module in (tasks, results):
        made = {one.__name__ for one in vars(module).values()
                if is_dataclass(one) and one.__module__ == module.__name__}  # fmt: skip
        assert made == wire._KNOWN[module.__name__]


def test_a_secret_does_not_travel() -> None:
    with pytest.raises(WireError, match="secrets are not pickled"):
        wire.pack(Secret(b"hunter2"))
    with pytest.raises(WireError):
        wire.pack(private("P-256"))


class _Bomb:
    def __reduce__(self) -> object:
        return os.system, ("echo this must not run > /tmp/immure-wire-bomb",)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (pickle.dumps(_Bomb()), "system, which no message of ours does"),
        (pickle.dumps(Secret), "immure.secret.Secret"),
        (pickle.dumps(open), "holds a"),
        (b"\x80\x05\x8c\x02os\x8c\x06system\x93.", "os.system"),
        (b"", "cannot be taken apart"),
        # a note under number 4,294,967,280: an array for it would take 64 GB
        (b"\x80\x05Nr\xf0\xff\xff\xff.", "cannot be taken apart"),
        (b"\x80\x05\x96\0\0\0\0\x10\0\0\0.", "cannot be taken apart"),
        (b"\x80\x05Pabc\n.", "cannot be taken apart"),
    ],
)
def test_foreign_bytes_make_nothing_run(body: bytes, words: str) -> None:
    head = wire.pack(1).partition(b"\n")[0] + b"\n"
    with pytest.raises(WireError, match=words):
        wire.unpack(head + body)
    assert not os.path.exists("/tmp/immure-wire-bomb")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no message"),
        (b"x" * 500, "no message"),
        (b"immure-fleet-1 0.0.0-else\n", "comes from Immure 0.0.0-else"),
    ],
)
def test_other_messages_are_refused(data: bytes, words: str) -> None:
    with pytest.raises(WireError, match=words):
        wire.unpack(data)


@given(st.binary(max_size=300), st.integers(0, 5))
def test_altered_messages_are_values_of_ours_or_refused(noise: bytes, which: int) -> None:
    packed = bytearray(wire.pack(VALUES[which]))
    start = packed.index(b"\n") + 1
    for index, byte in enumerate(noise):
        packed[start + (index * 7919 + byte) % (len(packed) - start)] ^= byte
    try:
        wire.unpack(bytes(packed))
    except WireError:
        return


def test_all_fields_of_what_travels_are_public_values() -> None:
    """No field of a result is typed as something secret."""
    for name in ("Scanned", "Surveyed", "Searched", "Swept", "Rank", "Failure", "Looked"):
        for field in fields(getattr(results, name)):
            assert "Secret" not in str(field.type)
            assert "Private" not in str(field.type)
