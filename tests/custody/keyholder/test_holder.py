"""A real holder: what it signs and refuses, what becomes of its keys, and what happens when it dies."""

from __future__ import annotations

import json
import os
import signal
import stat
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from custody import keys as files
from immure.custody.keyholder import KeyHolder
from immure.custody.keyholder.cabinet import BLOCK
from immure.custody.keyholder.errors import (
    HolderBusyError,
    HolderError,
    HolderFaultError,
    HolderFileError,
    HolderKeyError,
    HolderPinError,
    HolderRequestError,
    HolderRoleError,
    RefusedQuotaError,
    RefusedToSignError,
)
from immure.custody.keyholder.protocol import Op
from immure.custody.keyholder.sealed import MOST_KEYS
from immure.registry.state import KeyState

from .conftest import KIDS
from .making import (
    API,
    AUDIENCES,
    CHEAP,
    CONSUMER,
    ENTERPRISE,
    OFFICE,
    PIN,
    claims,
    holds,
    rules,
    wait_until_gone,
)


@pytest.mark.parametrize("kid", KIDS.values())
def test_each_algorithm(holder, kid):
    assert holds(holder, kid, holder.sign_token(kid, claims(), {"typ": "at+jwt"}))
    many = holder.sign_tokens(kid, [claims(sub=str(number)) for number in range(40)])
    assert len(set(many)) == 40
    assert all(holds(holder, kid, one) for one in many)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"iss": ENTERPRISE}, "holder-issuer"),
        ({"aud": OFFICE}, "holder-audience"),
        ({"exp": int(time.time()) + 10**6}, "holder-time"),
        ({"tid": 1}, "holder-tenant"),
    ],
)
def test_a_taken_front_end_cannot_widen_what_a_key_signs(holder, change, code):
    """The front end checks nothing here: it sends whatever it likes, and the holder says no."""
    before = holder.list()["es"].signed
    with pytest.raises(RefusedToSignError) as caught:
        holder.sign_token("es", claims(**change))
    assert caught.value.code == code
    assert holder.list()["es"].signed == before  # the key was not touched


def test_a_taken_front_end_has_no_role_but_its_own(holder, tmp_path):
    with pytest.raises(HolderRoleError):
        holder.generate("evil", rules(scope={"issuer": ENTERPRISE}))
    source = files.write_key(tmp_path / "key", files.private_bytes("P-256"))
    with pytest.raises(HolderRoleError):
        holder.import_key("evil", rules(), source)
    with pytest.raises(HolderRoleError):
        holder.backup(tmp_path / "backup", ["pin"])
    assert not (tmp_path / "backup").exists()


@pytest.mark.parametrize(
    "encoding", ["utf-16-le", "utf-16-be", "utf-16", "utf-32-le", "utf-32-be", "utf-8-sig"]
)
def test_requests_in_another_encoding(holder, encoding):
    """The holder can load nothing any more; one that tried died, and took all other front ends along."""
    before = holder.pid
    with pytest.raises(HolderRequestError, match="not JSON"):
        holder._ask(Op.SET_STATE, '{"kid": "es"}'.encode(encoding))
    assert holder.list()
    assert holder.pid == before


def test_a_successor_is_for_fewer_audiences_at_most(path):
    with KeyHolder.create(path, [PIN], **CHEAP) as holder:
        holder.generate("a", rules(audiences=AUDIENCES | {"*": frozenset({"consumer"})}))
        holder.generate("b", rules())
    with KeyHolder.start(path, [PIN], **CHEAP) as holder:
        holder.succeed("a2", "a", state=KeyState.ACTIVE, never=["https://late.example", API, "*"])
        assert holder.sign_token("a2", claims())  # what is named stays as it is
        assert holder.sign_token("a2", claims(aud="https://other.example"))
        with pytest.raises(RefusedToSignError, match="audience"):
            holder.sign_token("a2", claims(aud="https://late.example"))
        holder.succeed("b2", "b", state=KeyState.ACTIVE, never=["*"])
        with pytest.raises(RefusedToSignError, match="audience"):
            holder.sign_token("b2", claims(aud="https://other.example"))
        with pytest.raises(HolderRequestError, match="1000 audiences"):
            holder.succeed("c", "a", never=[f"a{number}" for number in range(1000)])
    with (
        KeyHolder.start(path, [PIN], **CHEAP) as holder,  # as the file has it
        pytest.raises(RefusedToSignError, match="audience"),
    ):
        holder.sign_token("a2", claims(aud="https://late.example"))


def test_there_is_no_operation_that_gives_a_key_out(holder):
    body = b"".join(holder._ask(op, b"{}") if op in (Op.LIST, Op.STATUS) else b"" for op in Op)
    assert b'"private"' not in body
    assert not [op for op in Op if "export" in op.name.lower()]


def test_other_purposes(holder):
    assert len(holder.sign("st", "statement", b"DSSEv1 1 a 1 b")) == 64
    for kid, purpose, message in (
        ("st", "statement", b"eyJhbGciOiJFUzI1NiJ9.e30"),
        ("st", "token", b"eyJhbGciOiJFUzI1NiJ9.e30"),
        ("es", "statement", b"DSSEv1 1 a 1 b"),
    ):
        with pytest.raises(RefusedToSignError, match=r"not for|no statement"):
            holder.sign(kid, purpose, message)
    with pytest.raises(RefusedToSignError, match="not base64url"):
        holder.sign("es", "token", b"DSSEv1 1 a 1 b")
    with pytest.raises(RefusedToSignError, match="not for"):
        holder.sign_token("st", claims())


def test_keys_that_are_not_there(holder):
    with pytest.raises(HolderKeyError, match="there is no key 'nobody'"):
        holder.sign_token("nobody", claims())
    with pytest.raises(HolderKeyError, match="there is no key"):
        holder.sign("nobody", "note", b"\n\n")
    with pytest.raises(HolderRequestError, match="not JSON"):
        holder.sign_token("es", {"a": object()})


# --- keys ---


def test_the_life_of_a_key(path):
    now = datetime.now(UTC)
    with KeyHolder.create(path, [PIN], **CHEAP) as holder:
        holder.generate("a", rules("EdDSA"))
        with pytest.raises(HolderKeyError, match="already"):
            holder.generate("a", rules("EdDSA"))
        holder.succeed("b", "a", not_after=now + timedelta(days=1))
        with pytest.raises(RefusedToSignError, match="is pre-active"):
            holder.sign_token("b", claims())
        holder.set_state("b", KeyState.ACTIVE, "rotation")
        holder.set_state("a", KeyState.DEACTIVATED, "rotation")
        assert holds(holder, "b", holder.sign_token("b", claims()))
        with pytest.raises(RefusedToSignError, match="is deactivated"):
            holder.sign_token("a", claims())
        assert holder.find("b").rules.scope.issuer == CONSUMER
        assert holder.find("b").rules.audiences == rules().audiences
        with pytest.raises(HolderRequestError, match="cannot become active"):
            holder.set_state("a", KeyState.ACTIVE)
        holder.set_state("a", KeyState.DESTROYED, "over")
        with pytest.raises(RefusedToSignError, match="is destroyed"):
            holder.sign_token("a", claims())
    text = json.loads(path.read_bytes().split(b"\n")[1])
    assert [key["private"] == "" for key in text["keys"]] == [True, False]
    with KeyHolder.start(path, [PIN], **CHEAP) as holder:
        assert holder.list()["a"].state is KeyState.DESTROYED
        holder.set_state("b", KeyState.SUSPENDED, "?")
        with pytest.raises(HolderRoleError, match="bringing a key to active"):
            holder.set_state("b", KeyState.ACTIVE)
        with pytest.raises(HolderRequestError, match="cannot become destroyed"):
            holder.set_state("a", KeyState.DESTROYED)
        with pytest.raises(HolderRequestError, match="no successors"):
            holder.succeed("c", "a")


def test_a_file_that_is_full_forgets_destroyed_keys_only(path):
    with KeyHolder.create(path, [PIN], **CHEAP) as holder:
        for number in range(MOST_KEYS):
            holder.generate(f"k{number}", rules("EdDSA"))
        with pytest.raises(HolderKeyError, match="no room for more"):
            holder.generate("more", rules("EdDSA"))
        holder.set_state("k1", KeyState.DEACTIVATED)
        holder.set_state("k1", KeyState.DESTROYED)
        holder.succeed("more", "k0", state=KeyState.ACTIVE)
        assert holds(holder, "more", holder.sign_token("more", claims()))
    with KeyHolder.start(path, [PIN], **CHEAP) as holder:
        assert set(holder.list()) == {f"k{number}" for number in range(MOST_KEYS) if number != 1} | {"more"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"purposes": frozenset({"token", "note"})}, "no other purpose"),
        ({"scope": {"algorithms": frozenset({"RS256"})}}, "does not have the algorithm"),
        ({"scope": {"issuer": "{tenant}"}}, "other braces may not"),
        ({"scope": {"issuer": "a b"}}, "is not an issuer"),
    ],
)
def test_rules_that_make_no_sense(path, change, words):
    with KeyHolder.create(path, [PIN], **CHEAP) as holder:
        with pytest.raises(HolderRequestError, match=words):
            holder.generate("a", rules(**change))
        for kid in ("", "a\nb", "k" * 200):
            with pytest.raises(HolderRequestError):
                holder.generate(kid, rules())
        with pytest.raises(HolderRequestError, match="bits"):
            holder.generate("a", rules("RS256"), bits=1024)
        holder.generate("a", rules())  # and nothing of what failed is in the way


@pytest.mark.parametrize(
    ("kind", "algorithm"), [("RSA-2048", "RS256"), ("P-256", "ES256"), ("Ed25519", "EdDSA")]
)
def test_an_import_says_so_for_ever(path, tmp_path, kind, algorithm):
    source = files.write_key(tmp_path / "key", files.private_bytes(kind))
    with KeyHolder.create(path, [PIN], **CHEAP) as holder:
        assert holder.import_key("i", rules(algorithm), source).origin == "imported"
        assert holds(holder, "i", holder.sign_token("i", claims()))
        holder.backup(tmp_path / "backup", ["p"])
    with KeyHolder.restore(tmp_path / "own2" / "k", [PIN], tmp_path / "backup", ["p"], **CHEAP) as holder:
        assert holder.list()["i"].origin == "imported, restored"


@pytest.mark.parametrize(
    ("data", "algorithm", "error"),
    [
        (b"", "ES256", HolderFaultError),
        (b"no key", "ES256", HolderFaultError),
        (files.public_pem("P-256"), "ES256", HolderFaultError),
        (files.private_bytes("P-256", password=b"p"), "ES256", HolderFaultError),
        (files.private_bytes("P-256"), "ES384", HolderRequestError),
        (files.private_bytes("RSA-1024"), "RS256", HolderRequestError),
    ],
)
def test_imports_that_fail_leave_nothing(path, tmp_path, data, algorithm, error):
    source = files.write_key(tmp_path / "key", data)
    with KeyHolder.create(path, [PIN], **CHEAP) as holder:
        with pytest.raises(error):
            holder.import_key("i", rules(algorithm), source)
        assert holder.list() == {}


def test_a_backup_that_two_people_hold(path, tmp_path):
    backup = tmp_path / "backup"
    with KeyHolder.create(path, [PIN], **CHEAP) as holder:
        public = holder.generate("a", rules()).public
        holder.sign_token("a", claims())
        assert holder.backup(backup, ["first", "second"]) == 1
        with pytest.raises(HolderFileError, match="File exists"):
            holder.backup(backup, ["first"])
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    own = tmp_path / "other" / "keys.sealed"
    for pins in (["first", "wrong"], ["second", "first"], ["first"], ["firstsecond"], [PIN]):
        with pytest.raises(HolderPinError):
            KeyHolder.restore(own, ["new"], backup, pins, **CHEAP)
    with KeyHolder.restore(own, ["new"], backup, ["first", "second"], **CHEAP) as holder:
        assert holder.find("a").public.thumbprint == public.thumbprint
        assert holder.find("a").signed >= 1
        assert holds(holder, "a", holder.sign_token("a", claims()))
    with pytest.raises(HolderFileError, match="already"):
        KeyHolder.restore(own, ["new"], backup, ["first", "second"], **CHEAP)
    with KeyHolder.start(own, ["new"], **CHEAP) as holder:
        assert set(holder.list()) == {"a"}


# --- counts ---


def test_counts_survive_a_kill_and_never_go_back(path):
    with KeyHolder.create(path, [PIN], **CHEAP, restarts=20) as holder:
        holder.generate("a", rules("EdDSA"))
        known = 0
        for _ in range(4):
            holder.sign_tokens("a", [claims()] * 30)
            known += 30
            seen = holder.list()["a"].signed
            assert seen >= known
            os.kill(holder.pid, signal.SIGKILL)
            wait_until_gone(holder)
            again = holder.list()["a"].signed
            assert again >= seen
            known = again
        assert known <= 4 * (BLOCK + 30)
    with KeyHolder.start(path, [PIN], **CHEAP) as holder:
        assert holder.list()["a"].signed == known  # a holder that ends well writes the exact count


def sign_until_it_says_no(holder: KeyHolder) -> int:
    for made in range(60):
        try:
            holder.sign_token("a", claims())
        except RefusedQuotaError as error:
            assert "as often as it may" in str(error)  # noqa: PT017 - how often it signed before is asked too
            return made
    pytest.fail("it signs for ever")


def test_a_quota_is_never_passed(path):
    signed = 0
    with KeyHolder.create(path, [PIN], **CHEAP, restarts=20) as holder:
        holder.generate("a", rules("EdDSA", quota=50))
        for _ in range(3):
            for _ in range(12):
                holder.sign_token("a", claims())
                signed += 1
            os.kill(holder.pid, signal.SIGKILL)
            wait_until_gone(holder)
        more = sign_until_it_says_no(holder)
        assert 36 < signed + more <= 50
    with KeyHolder.start(path, [PIN], **CHEAP) as holder, pytest.raises(RefusedQuotaError):
        holder.sign_token("a", claims())


# --- the file ---


def test_wrong_pins_say_no_more_than_altered_files(copied):
    with pytest.raises(HolderPinError) as wrong:
        KeyHolder.start(copied, ["wrong"], **CHEAP)
    said = set()
    data = copied.read_bytes()
    widened = data.replace(CONSUMER.encode(), b"https://login.example/enterpris")
    revived = data.replace(b'"quota":null', b'"quota":9999')
    assert widened != data != revived
    for altered in (widened, revived, data.replace(b'"p":1', b'"p":2'), data[:-9] + b"00000000\n"):
        copied.write_bytes(altered)
        with pytest.raises(HolderPinError) as caught:
            KeyHolder.start(copied, [PIN], **CHEAP)
        said.add(caught.value.reason)
    assert said == {wrong.value.reason} == {"wrong PIN, or the file was altered"}


def test_a_private_half_of_another_key_is_refused(path):
    """Only who has the PIN could write such a file; the halves are held against each other all the same."""
    with KeyHolder.create(path, [PIN], **CHEAP) as holder:
        holder.generate("a", rules())
        holder.generate("b", rules())
    header, body, _, _ = path.read_bytes().split(b"\n")
    made = json.loads(body)
    first, second = made["keys"]
    first["private"], second["private"] = second["private"], first["private"]
    path.write_bytes(header + b"\n" + json.dumps(made).encode() + b"\n" + b"0" * 64 + b"\n")
    with pytest.raises(HolderPinError):
        KeyHolder.start(path, [PIN], **CHEAP)


def test_two_holders_of_one_file(holder, store):
    with pytest.raises(HolderBusyError, match="another process holds this key file"):
        KeyHolder.start(store, [PIN], **CHEAP)
    assert holder.list()


def test_files_that_cannot_be_used(path, tmp_path):
    with pytest.raises(HolderFileError, match="its directory: No such file"):
        KeyHolder.start(path, [PIN], **CHEAP)
    KeyHolder.create(path, [PIN], **CHEAP).close()
    with pytest.raises(HolderFileError, match="already"):
        KeyHolder.create(path, [PIN], **CHEAP)
    path.parent.chmod(0o777)
    with pytest.raises(HolderFileError, match="others may write"):
        KeyHolder.start(path, [PIN], **CHEAP)
    path.parent.chmod(0o700)
    with pytest.raises(HolderFileError, match="No such file"):
        KeyHolder.start(path.with_name("other"), [PIN], **CHEAP)
    path.unlink()
    path.symlink_to("/etc/passwd")
    with pytest.raises(HolderFileError, match="Too many levels"):
        KeyHolder.start(path, [PIN], **CHEAP)


@pytest.mark.skipif(os.geteuid() != 0, reason="NOT TESTED: only root may run a holder as another user")
def test_as_root_the_directory_is_the_holders_own(path, tmp_path):
    with pytest.raises(HolderFileError, match="belongs to root"):
        KeyHolder.create(tmp_path / "keys.sealed", [PIN], **CHEAP)
    with KeyHolder.create(tmp_path / "keys.sealed", [PIN], user="root", **CHEAP) as holder:
        assert holder.status()["protections"]["user"].startswith("not its own")
    with KeyHolder.create(path, [PIN], user="nobody", **CHEAP) as holder:
        assert holder.status()["protections"]["user"] == f"its own: {path.parent.stat().st_uid}"
    assert path.stat().st_uid == path.parent.stat().st_uid != 0
    with pytest.raises(HolderFileError, match="no user 'nobody-at-all'"):
        KeyHolder.create(tmp_path / "a" / "b", [PIN], user="nobody-at-all", **CHEAP)


@pytest.mark.parametrize("pins", [[], ["a", "b", "c"]])
def test_numbers_of_pins(store, pins):
    with pytest.raises(HolderPinError, match="one PIN or two"):
        KeyHolder.start(store, pins)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda where: "", "no PIN where it should be"),
        (lambda where: "p" * 2000, "longer than"),
        (lambda where: where / "none", "No such file"),
        (lambda where: where, "not a regular file"),
        (lambda where: files.write_key(where / "open", PIN.encode(), 0o644), "others can read it"),
        (lambda where: files.write_key(where / "empty", b"\n"), "no PIN where it should be"),
    ],
)
def test_pins_that_are_none(copied, tmp_path, make, words):
    with pytest.raises(HolderError, match=words):
        KeyHolder.start(copied, [make(tmp_path)], **CHEAP)


def test_a_pin_in_a_file(path, tmp_path):
    source = files.write_key(tmp_path / "pin", PIN.encode() + b"\nanother line\n")
    KeyHolder.create(path, [Path(source)], **CHEAP).close()
    KeyHolder.start(path, [PIN], **CHEAP).close()


def test_a_disk_that_is_full_changes_nothing(path):
    """The directory is taken away, so that nothing can be written into it any more."""
    with KeyHolder.create(path, [PIN], **CHEAP) as holder:
        holder.generate("a", rules())
        moved = path.parent.with_name("moved")
        (path.parent / f".{path.name}.part").mkdir()  # stands where the new file would be written
        with pytest.raises(HolderFileError, match="cannot be written"):
            holder.set_state("a", KeyState.SUSPENDED)
        with pytest.raises(HolderFileError, match="cannot be written"):
            holder.sign_token("a", claims())  # its count could not be kept
        with pytest.raises(HolderFileError, match="cannot be written"):
            holder.generate("b", rules())
        (path.parent / f".{path.name}.part").rmdir()
        assert not moved.exists()
        assert holder.list()["a"].state is KeyState.ACTIVE
        assert set(holder.list()) == {"a"}
        assert holds(holder, "a", holder.sign_token("a", claims()))
        holder.generate("b", rules())
