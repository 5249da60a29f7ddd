"""A witness signs one history of a log, and no other."""

from __future__ import annotations

import base64
import multiprocessing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditlog.helpers import SoftwareSigner
from immure.auditlog import AuditLog, NoteKey, parse_checkpoint
from immure.auditlog.cosignature import CosignatureKey, cosign, parse_witness
from immure.auditlog.witness import Witness, WitnessError, ask_witness, witnessed
from immure.auditlog.witnessed import Witnessed, check_witnessed, keep_witnessed, read_witnessed
from immure.errors import LogError

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
T = int(NOW.timestamp())
ORIGIN = "login.example/ledger"


OWNER, WATCHER = SoftwareSigner(1, ORIGIN), SoftwareSigner(2, "witness.example")


def make_log(path: Path, *kinds: str, signer: SoftwareSigner = OWNER) -> AuditLog:
    log = AuditLog.create(path, origin=signer.name, signer=signer, clock=lambda: NOW)
    for kind in kinds:
        log.append(kind, {})
    return log


def make_witness(path: Path) -> Witness:
    return Witness(path, WATCHER, {ORIGIN: NoteKey(OWNER.name, OWNER.public_key)}, time=lambda: NOW)


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    return make_witness(tmp_path / "witness")


def test_it_signs_what_continues(tmp_path: Path, witness: Witness) -> None:
    log = make_log(tmp_path / "log", "a")
    old = 0
    for kind in "bcdef":
        note = witnessed(log.checkpoint().note, witness.add_checkpoint(ask_witness(log, old)))
        assert witness.key.seen(note) == T
        assert parse_checkpoint(note) == log.checkpoint()
        log.checkpoint().verify(NoteKey(OWNER.name, OWNER.public_key))
        old = len(log)
        log.append(kind, {})
    seen = witness.seen(ORIGIN)
    assert seen is not None
    assert seen.size == 5


def test_the_same_state_twice(tmp_path: Path, witness: Witness) -> None:
    log = make_log(tmp_path / "log", "a", "b")
    witness.add_checkpoint(ask_witness(log, 0))
    assert witness.add_checkpoint(ask_witness(log, 2))


def test_two_histories(tmp_path: Path, witness: Witness) -> None:
    """The operator shows one history to the witness, and wants another one signed."""
    honest = make_log(tmp_path / "honest", "a", "b", "c")
    rewritten = make_log(tmp_path / "rewritten", "a", "x", "c", "d")
    shorter = make_log(tmp_path / "shorter", "a", "b")
    same_size = make_log(tmp_path / "same", "a", "b", "x")
    witness.add_checkpoint(ask_witness(honest, 0))
    refused = [
        (rewritten, 3, 422, None),
        (rewritten, 0, 409, 3),
        (shorter, 2, 409, 3),
        (shorter, 0, 409, 3),
        (same_size, 3, 409, 3),
        (honest, 1, 409, 3),
    ]
    for log, old, status, size in refused:
        with pytest.raises(WitnessError) as caught:
            witness.add_checkpoint(ask_witness(log, old))
        assert (caught.value.status, caught.value.size) == (status, size)
    seen = witness.seen(ORIGIN)
    assert seen == honest.checkpoint()


def test_logs_and_keys_that_it_does_not_know(tmp_path: Path, witness: Witness) -> None:
    stranger = make_log(tmp_path / "stranger", "a", signer=SoftwareSigner(3, "elsewhere.example"))
    forged = make_log(tmp_path / "forged", "a", signer=SoftwareSigner(4, ORIGIN))
    for log, status in ((stranger, 404), (forged, 403)):
        with pytest.raises(WitnessError) as caught:
            witness.add_checkpoint(ask_witness(log, 0))
        assert caught.value.status == status


def _changed(body: bytes, what: str) -> bytes:
    head, _, note = body.partition(b"\n\n")
    first, *hashes = head.split(b"\n")
    changes = {
        "empty": b"",
        "no blank line": head + b"\n" + note,
        "no old": b"\n".join([b"new 2", *hashes]) + b"\n\n" + note,
        "old with a zero before it": b"\n".join([b"old 02", *hashes]) + b"\n\n" + note,
        "old greater than new": b"old 9\n\n" + note,
        "hash too short": b"\n".join([first, base64.b64encode(bytes(31))]) + b"\n\n" + note,
        "no base64": b"\n".join([first, b"****"]) + b"\n\n" + note,
        "too many hashes": b"\n".join([first, *[base64.b64encode(bytes(32))] * 80]) + b"\n\n" + note,
        "not ASCII": "öld 2\n\n".encode() + note,
        "no checkpoint": head + b"\n\nhello\n",
        "too long": head + b"\n\n" + bytes(1 << 20),
    }
    return changes[what]


@pytest.mark.parametrize(
    "what",
    [
        "empty",
        "no blank line",
        "no old",
        "old with a zero before it",
        "old greater than new",
        "hash too short",
        "no base64",
        "too many hashes",
        "not ASCII",
        "no checkpoint",
        "too long",
    ],
)
def test_requests_that_are_none(tmp_path: Path, witness: Witness, what: str) -> None:
    log = make_log(tmp_path / "log", "a", "b", "c")
    with pytest.raises(WitnessError) as caught:
        witness.add_checkpoint(_changed(ask_witness(log, 2), what))
    assert caught.value.status == 400
    assert witness.seen(ORIGIN) is None


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes(tmp_path_factory: pytest.TempPathFactory, body: bytes) -> None:
    with pytest.raises(WitnessError):
        make_witness(tmp_path_factory.getbasetemp() / "any").add_checkpoint(body)


def test_a_wrong_proof(tmp_path: Path, witness: Witness) -> None:
    log = make_log(tmp_path / "log", "a", "b", "c")
    witness.add_checkpoint(ask_witness(log, 0))
    log.append("d", {})
    head, _, note = ask_witness(log, 3).partition(b"\n\n")
    first, *hashes = head.split(b"\n")
    assert hashes
    for wrong in ([], hashes[:-1], [*hashes, hashes[0]], [base64.b64encode(bytes(32)), *hashes[1:]]):
        with pytest.raises(WitnessError) as caught:
            witness.add_checkpoint(b"\n".join([first, *wrong]) + b"\n\n" + note)
        assert caught.value.status == 422
    assert witness.add_checkpoint(head + b"\n\n" + note)


def test_it_remembers(tmp_path: Path, witness: Witness) -> None:
    log = make_log(tmp_path / "log", "a", "b")
    witness.add_checkpoint(ask_witness(log, 0))
    with pytest.raises(WitnessError) as caught:
        make_witness(tmp_path / "witness").add_checkpoint(ask_witness(log, 0))
    assert caught.value.size == 2


def _race(path: str, body: bytes, results: multiprocessing.Queue[bool]) -> None:
    # a forked process keeps the keys of this test
    try:
        make_witness(Path(path)).add_checkpoint(body)
    except WitnessError:
        results.put(False)
    else:
        results.put(True)


def test_two_histories_at_once(tmp_path: Path) -> None:
    bodies = [ask_witness(make_log(tmp_path / f"log{n}", "a", f"b{n}"), 0) for n in range(4)]
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    racers = [
        context.Process(target=_race, args=(str(tmp_path / "witness"), body, results)) for body in bodies
    ]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(30)
    assert sorted(results.get(timeout=10) for _ in racers) == [False, False, False, True]


def test_cosignatures_that_do_not_hold(tmp_path: Path, witness: Witness) -> None:
    log = make_log(tmp_path / "log", "a")
    checkpoint = log.checkpoint()
    line = cosign(checkpoint, WATCHER, T)
    note = witnessed(checkpoint.note, line)
    assert witness.key.seen(note) == T
    raw = bytearray(base64.b64decode(line.split(" ")[2]))
    raw[11] ^= 1  # another time
    later = f"— {WATCHER.name} {base64.b64encode(raw).decode()}\n"
    short = f"— {WATCHER.name} {base64.b64encode(raw[:-1]).decode()}\n"
    for wrong in (later, short, ""):
        with pytest.raises(LogError):
            witness.key.seen(checkpoint.note + wrong.encode())
    with pytest.raises(LogError):
        CosignatureKey("other.example", WATCHER.public_key).seen(note)
    with pytest.raises(LogError):
        witnessed(checkpoint.note, "\nother\n1\n\n— x YQ==\n")


def test_keys_of_logs_are_not_keys_of_witnesses() -> None:
    key = CosignatureKey(WATCHER.name, WATCHER.public_key)
    assert parse_witness(key.to_vkey()) == key
    for wrong in (
        NoteKey(WATCHER.name, WATCHER.public_key).to_vkey(),
        key.to_vkey().replace("+", "+0", 1),
        "witness",
        f"{key.name}+{key.key_id ^ 1:08x}+{key.to_vkey().rsplit('+', 1)[1]}",
    ):
        with pytest.raises(LogError):
            parse_witness(wrong)


@pytest.mark.parametrize("time", [-1, 1 << 40])
def test_times_that_cannot_be(tmp_path: Path, time: int) -> None:
    with pytest.raises(LogError, match="no time"):
        cosign(make_log(tmp_path / "log").checkpoint(), WATCHER, time)


def test_two_states_of_one_size_are_kept_as_proof(tmp_path: Path, witness: Witness) -> None:
    """Both are signed by the log: everybody can see that it has two histories. The first pair stays."""
    honest = make_log(tmp_path / "honest", "a", "b")
    forks = [make_log(tmp_path / f"fork{number}", "a", f"x{number}") for number in range(2)]
    witness.add_checkpoint(ask_witness(honest, 0))
    for fork in forks:
        with pytest.raises(WitnessError):
            witness.add_checkpoint(ask_witness(fork, 2))
    paths = [path for path in (tmp_path / "witness").iterdir() if path.suffix]
    found = {path.suffix: parse_checkpoint(path.read_bytes()) for path in paths}
    assert found[".fork-1"] == honest.checkpoint()
    assert found[".fork-2"] == forks[0].checkpoint()
    for one in found.values():
        one.verify(NoteKey(OWNER.name, OWNER.public_key))
    assert witness.seen(ORIGIN) == honest.checkpoint()


OTHER_WATCHER = SoftwareSigner(5, "other.example")
_KEYS = [CosignatureKey(one.name, one.public_key) for one in (WATCHER, OTHER_WATCHER)]
BAD_QUORUMS = [
    ([], 1, "cannot be asked for"),
    (_KEYS, 0, "cannot be asked for"),
    (_KEYS, 3, "cannot be asked for"),
    ([_KEYS[0], _KEYS[0]], 1, "named twice"),
    ([_KEYS[0], CosignatureKey("alias.example", _KEYS[0].public_key)], 2, "one key"),
    (_KEYS, 2, "signed by 1 witnesses, and 2 are needed: not witnessed by other.example"),
    ([CosignatureKey(WATCHER.name, OTHER_WATCHER.public_key)], 1, "signed by 0 witnesses"),
]


@pytest.mark.parametrize(("keys", "quorum", "words"), BAD_QUORUMS)
def test_who_must_have_signed(tmp_path: Path, keys: list[CosignatureKey], quorum: int, words: str) -> None:
    checkpoint = make_log(tmp_path / "log", "a").checkpoint()
    note = witnessed(checkpoint.note, cosign(checkpoint, WATCHER, T))
    log_key = NoteKey(OWNER.name, OWNER.public_key)
    assert check_witnessed(note, log_key, _KEYS, 1).seen == {WATCHER.name: T}
    with pytest.raises(LogError, match=words):
        check_witnessed(note, log_key, keys, quorum)


def test_the_log_must_have_signed_it_too(tmp_path: Path) -> None:
    checkpoint = make_log(tmp_path / "log", "a", signer=SoftwareSigner(4, ORIGIN)).checkpoint()
    note = witnessed(checkpoint.note, cosign(checkpoint, WATCHER, T))
    with pytest.raises(LogError, match="not signed by the key"):
        check_witnessed(note, NoteKey(OWNER.name, OWNER.public_key), _KEYS[:1], 1)


def test_kept_beside_the_log(tmp_path: Path) -> None:
    log = make_log(tmp_path / "log", "a")
    with pytest.raises(LogError, match="no witness has signed"):
        read_witnessed(tmp_path / "log")
    keep_witnessed(tmp_path / "log", log.checkpoint().note)
    assert read_witnessed(tmp_path / "log") == log.checkpoint().note
    assert AuditLog.open(tmp_path / "log").checkpoint() == log.checkpoint()  # it is no part of the log


AGES = [
    ({"a": T, "b": T}, 2, 60, True),
    ({"a": T - 60, "b": T}, 2, 60, True),
    ({"a": T - 61, "b": T}, 2, 60, False),
    ({"a": T - 61, "b": T}, 1, 60, True),
    ({"a": T - 61}, 1, 60, False),
    ({"a": T + 5}, 1, 60, True),
]


@pytest.mark.parametrize(("seen", "quorum", "within", "good"), AGES)
def test_how_old_it_is(tmp_path: Path, seen: dict[str, int], quorum: int, within: int, good: bool) -> None:
    one = Witnessed(make_log(tmp_path / "log", "a").checkpoint(), seen)
    if good:
        one.check_age(quorum, T, within)
        return
    with pytest.raises(LogError, match="within 60 s"):
        one.check_age(quorum, T, within)
