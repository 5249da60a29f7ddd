"""Who is let in by what an agent says: also certificates and answers that no honest program makes."""

from __future__ import annotations

import base64
import os
import struct
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from access.sudo.pocket import ECDSA, NOW, PLAIN, SK_ECDSA, Answer, Key, Made, agent, holding, mpint, s
from immure.access import DeniedError
from immure.access.sudo import Admitted, Asker, Wanted, admit
from immure.access.sudo.agent import MOST_BYTES, connected
from immure.access.sudo.certificate import is_certificate, parse_certificate
from immure.access.sudo.krl import Krl
from immure.access.sudo.public import parse_public, verify
from immure.access.sudo.trusted import read_authorities, read_trusted
from immure.errors import InputError, UsageError

AT = datetime.fromtimestamp(NOW, UTC)
CA, KEY, OTHER = Key(PLAIN), Key(), Key()
GOOD = Made(KEY, CA)
WANTED = Wanted(frozenset({CA.blob}), "room:debug")
ASKER = Asker("prd-ada", "sudo")


def let_in(answer: Answer, wanted: Wanted = WANTED, seconds: float = 5.0) -> Admitted:
    with agent(answer, seconds) as asked:
        return admit(wanted, ASKER, asked, clock=lambda: AT)


def test_what_is_good() -> None:
    admitted = let_in(holding((KEY.blob, KEY), (GOOD.blob, KEY)))
    assert admitted == Admitted("prd-ada", "k3abcdefghijklmn", 17, AT + timedelta(hours=1))


@pytest.mark.parametrize("kind", [PLAIN, ECDSA, SK_ECDSA])
def test_other_types(kind: str) -> None:
    key = Key(kind)
    options = (("verify-required", ""),) if kind == SK_ECDSA else ()
    wanted = Wanted(WANTED.authorities, "room:debug", plain=True)
    assert let_in(holding((GOOD.but(key=key, options=options).blob, key)), wanted).serial == 17
    made = GOOD.but(authority=Key(ECDSA))
    wanted = Wanted(frozenset({made.authority.blob}), "room:debug")
    assert let_in(holding((made.blob, KEY)), wanted).serial == 17


def test_the_one_that_lasts_longest() -> None:
    short, old = GOOD.but(before=NOW + 60), GOOD.but(before=NOW)
    pairs = [(one.blob, KEY) for one in (short, GOOD, old, GOOD.but(signer=OTHER))]
    assert let_in(holding(*pairs)).ends == AT + timedelta(hours=1)


def test_one_of_which_the_grant_was_revoked() -> None:
    """It lasts longer than the one of a new grant, and does not stand in its way."""
    fresh = GOOD.but(before=NOW + 60, key_id="prd-ada/k4abcdefghijklmn")

    def behind(admitted: Admitted) -> None:
        if admitted.grant != "k4abcdefghijklmn":
            raise DeniedError("the grant is revoked", rule="grant")

    with agent(holding((GOOD.blob, KEY), (fresh.blob, KEY))) as asked:
        admitted = admit(WANTED, ASKER, asked, clock=lambda: AT, behind=behind)
    assert admitted.grant == "k4abcdefghijklmn"
    pairs = ((GOOD.blob, KEY), (GOOD.but(kind=2).blob, KEY))  # what is said of the former says more
    with agent(holding(*pairs)) as asked, pytest.raises(DeniedError, match="is revoked"):
        admit(WANTED, ASKER, asked, clock=lambda: AT, behind=behind)


def test_what_is_forgotten_while_somebody_looks_for_their_key() -> None:
    """A certificate that ends, or a grant that is revoked, between the question and the touch."""
    times = iter([AT, AT + timedelta(hours=1)])
    with agent(holding((GOOD.blob, KEY))) as asked, pytest.raises(DeniedError) as caught:
        admit(WANTED, ASKER, asked, clock=lambda: next(times))
    assert caught.value.rule == "expired"
    seen: list[Admitted] = []

    def behind(admitted: Admitted) -> None:
        seen.append(admitted)
        if len(seen) == 2:
            raise DeniedError("revoked meanwhile", rule="grant")

    with agent(holding((GOOD.blob, KEY))) as asked, pytest.raises(DeniedError, match="meanwhile"):
        admit(WANTED, ASKER, asked, clock=lambda: AT, behind=behind)


def _with(made: Made, key: Key = KEY) -> Answer:
    return holding((made.blob, key))


def _twisted(**changes: object) -> Answer:
    """The right certificate, and a key that signs otherwise."""
    return holding((GOOD.blob, Key(private=KEY.private, **changes)))  # type: ignore[arg-type]


def _flipped(at: int) -> Answer:
    blob = bytearray(GOOD.blob)
    blob[at] ^= 1
    return holding((bytes(blob), KEY))


def _listed(body: bytes) -> Answer:
    return lambda _: s(b"\x0c" + body)


def _saying(answer: bytes) -> Answer:
    """Lists the right certificate, and answers so when it is to sign."""
    return lambda message: _with(GOOD)(message) if message[0] == 11 else answer


WEB = Key(application="https://access.prod.example")
SK_CA = Key()
RSA = s("ssh-rsa") + mpint(65537) + mpint((1 << 1023) | 1)

REFUSED: dict[str, tuple[Answer, str]] = {
    "for hosts": (_with(GOOD.but(kind=2)), "kind"),
    "for nobody in particular": (_with(GOOD.but(principals=())), "principal"),
    "for the login of sshd": (_with(GOOD.but(principals=("room:debug", "prd-ada@room:debug"))), "principal"),
    "for whoever has a grant": (_with(GOOD.but(principals=("room:debug+sudo",))), "principal"),
    "for a longer name": (_with(GOOD.but(principals=("prd-ada@room:debug+sudo2",))), "principal"),
    "ends now": (_with(GOOD.but(before=NOW)), "expired"),
    "begins in a second": (_with(GOOD.but(after=NOW + 1)), "expired"),
    "without end": (_with(GOOD.but(before=(1 << 64) - 1)), "expired"),
    "from an address": (_with(GOOD.but(options=(("source-address", "127.0.0.1"),))), "option"),
    "for one command": (_with(GOOD.but(options=(("force-command", "id"),))), "option"),
    "an option of tomorrow": (_with(GOOD.but(options=(("unheard-of", ""),))), "option"),
    "options out of order": (_with(GOOD.but(options=(("b", ""), ("a", "")))), "authority"),
    "an option twice": (_with(GOOD.but(options=(("verify-required", ""),) * 2)), "authority"),
    "something in what is reserved": (_with(GOOD.but(reserved=b"x")), "authority"),
    "bytes behind it": (_with(GOOD.but(tail=b"\0")), "authority"),
    "of another authority": (_with(GOOD.but(authority=OTHER)), "authority"),
    "signed by its own key": (_with(GOOD.but(authority=KEY)), "authority"),
    "named and not signed": (_with(GOOD.but(signer=Key(PLAIN))), "authority"),
    "one bit of the nonce": (_flipped(60), "authority"),
    "one bit of the end": (_flipped(len(GOOD.blob) - 1), "authority"),
    "a key that is a file": (_with(GOOD.but(key=Key(PLAIN), options=())), "plain-key"),
    "a key for the web": (_with(GOOD.but(key=WEB), WEB), "plain-key"),
    "signed by another key": (holding((GOOD.blob, OTHER)), "signature"),
    "signed by a file": (holding((GOOD.blob, Key(PLAIN))), "signature"),
    "nobody touched it": (_twisted(flags=4), "user-presence"),
    "nobody was verified": (_twisted(flags=1), "user-verification"),
    "no flag": (_twisted(flags=0), "user-presence"),
    "for another application": (_twisted(application="ssh:other"), "signature"),
    "of a type without flags": (_twisted(said=PLAIN), "signature"),
    "does not sign": (_saying(s(b"\x05")), "agent"),
    "signs with nothing": (_saying(s(b"\x0e")), "agent"),
    "signs with garbage": (_saying(s(b"\x0e" + s(b"garbage"))), "signature"),
    "no keys": (holding(), "no-certificate"),
    "keys alone": (holding((KEY.blob, KEY), (CA.blob, CA), (RSA, KEY)), "no-certificate"),
    "fails": (lambda _: s(b"\x05"), "agent"),
    "another answer": (lambda _: s(b"\x0e" + s(b"")), "agent"),
    "hangs up": (lambda _: b"", "agent"),
    "an empty answer": (lambda _: s(b""), "agent"),
    "says it is endless": (lambda _: struct.pack(">I", 0xFFFFFFFF), "agent"),
    "a byte too many": (lambda _: struct.pack(">I", MOST_BYTES + 1), "agent"),
    "more keys than there are": (_listed(struct.pack(">I", 2) + s(KEY.blob) + s("c")), "agent"),
    "four thousand million keys": (_listed(struct.pack(">I", 0xFFFFFFFF)), "agent"),
    "a key of four gigabytes": (_listed(struct.pack(">I", 1) + struct.pack(">I", 0xFFFFFFFF)), "agent"),
    "many keys": (holding(*[(KEY.blob, KEY)] * 300, (GOOD.blob, KEY)), "no-certificate"),
    "garbage": (lambda _: s(bytes(range(256)) * 4), "agent"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_who_stays_outside(case: str) -> None:
    answer, rule = REFUSED[case]
    with pytest.raises(DeniedError) as caught:
        let_in(answer)
    assert caught.value.rule == rule, caught.value


@pytest.mark.parametrize("pause", [0.0, 0.05], ids=["silent", "a byte at a time"])
def test_an_agent_that_takes_its_time(pause: float) -> None:
    """The time is for all that it says, and not for each byte."""

    def answer(_: bytes) -> bytes:
        time.sleep(0.4)
        return b""

    begun = time.monotonic()
    with agent(answer, 0.2) as asked:
        if pause:
            asked._connection = _Trickle(pause)  # type: ignore[assignment]
        with pytest.raises(DeniedError, match="does not answer") as caught:
            asked.identities()
    assert caught.value.rule == "agent"
    assert time.monotonic() - begun < 3


class _Trickle:
    """Says a byte now and then, of an answer that is long."""

    def __init__(self, pause: float) -> None:
        self._pause = pause
        self._said = iter(struct.pack(">I", MOST_BYTES) + bytes(MOST_BYTES))

    def settimeout(self, _: float) -> None:
        pass

    def sendall(self, _: bytes) -> None:
        pass

    def recv(self, _: int) -> bytes:
        time.sleep(self._pause)
        return bytes([next(self._said)])


PATHS = {
    "none": ("", "no-agent"),
    "not whole": ("agent", "no-agent"),
    "too long": ("/" + "a" * 200, "no-agent"),
    "with a zero": ("/tmp/a\0b", "no-agent"),
    "not there": ("/nowhere/at/all", "no-agent"),
}


@pytest.mark.parametrize("case", PATHS)
def test_paths_of_agents(case: str) -> None:
    path, rule = PATHS[case]
    with pytest.raises(DeniedError) as caught, connected(path, 0, 1.0):
        raise AssertionError("connected")
    assert caught.value.rule == rule


# --- files of the host ---


def test_files_that_others_could_write(tmp_path: Path) -> None:
    path = tmp_path / "ca.pub"
    path.write_bytes(b"# ours\n\n" + b"ssh-ed25519 " + base64.b64encode(CA.blob) + b" room\n")
    assert read_authorities(path) == {CA.blob}
    for mode in (0o664, 0o646):
        path.chmod(mode)
        with pytest.raises(UsageError, match="by others than root"):
            read_authorities(path)
    path.chmod(0o644)
    with pytest.raises(UsageError, match="is longer than 3 bytes"):
        read_trusted(path, 3)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="is no file"):
        read_trusted(tmp_path / "pipe", 3)
    path.write_bytes(b"ssh-ed25519 AAAA\n")
    with pytest.raises(UsageError, match="line 1 is no public key"):
        read_authorities(path)
    path.write_bytes(b"\n")
    with pytest.raises(UsageError, match="has no public key"):
        read_authorities(path)


LISTS = {
    "of an hour ago": (3600, 15, "krl-old"),
    "of tomorrow": (-86400, 0, "krl-old"),
    "of an hour ago, at any age": (3600, 0, None),
    "of now": (0, 1, None),
}


@pytest.mark.parametrize("case", LISTS)
def test_the_age_of_a_list(tmp_path: Path, case: str) -> None:
    """The list says when it was made; a copy that is touched is not newer for that."""
    ago, minutes, rule = LISTS[case]
    path = tmp_path / "krl"
    path.write_bytes(struct.pack(">8sIQQQII", b"SSHKRL\n\0", 1, 1, NOW - ago, 0, 0, 0))
    krl = Krl(path, minutes)
    if rule is None:
        krl.check(parse_certificate(GOOD.blob), AT)
        return
    with pytest.raises(DeniedError) as caught:
        krl.check(parse_certificate(GOOD.blob), AT)
    assert caught.value.rule == rule


def test_no_lists(tmp_path: Path) -> None:
    path = tmp_path / "krl"
    for data in (b"", b"SSHKRL\n\0", b"x" * 44):
        path.write_bytes(data)
        with pytest.raises(UsageError, match="is no list"):
            Krl(path).check(parse_certificate(GOOD.blob), AT)


# --- bytes ---


def test_a_certificate_as_it_is_read() -> None:
    read = parse_certificate(GOOD.blob)
    assert (read.key_id, read.serial, read.principals) == (GOOD.key_id, 17, GOOD.principals)
    assert (read.after, read.before, read.key.application) == (GOOD.after, GOOD.before, "ssh:")
    assert read.extensions == {"permit-pty": b""}
    read.check_signature()


NO_CERTIFICATES = {
    "nothing": (b"", "ends too early"),
    "a key": (KEY.blob, "of a type that is taken"),
    "of DSA": (GOOD.but(type="ssh-dss-cert-v01@openssh.com").blob, "of a type that is taken"),
    "of another type": (GOOD.but(type="ssh-ed25519-cert-v01@openssh.com").blob, "."),
    "long": (GOOD.but(key_id="a" * (1 << 14)).blob, "more than 16384 bytes"),
    "many principals": (GOOD.but(principals=("a",) * 257).blob, "more than 256 principals"),
    "a principal with a line": (GOOD.but(principals=("a\nb",)).blob, "not printable ASCII"),
    "a name in another script": (GOOD.but(key_id="prd-àda/k3").blob, "not printable ASCII"),
    "half of it": (GOOD.blob[:200], "ends too early"),
}


@pytest.mark.parametrize("case", NO_CERTIFICATES)
def test_no_certificates(case: str) -> None:
    data, words = NO_CERTIFICATES[case]
    with pytest.raises(InputError, match=words):
        parse_certificate(data)


def test_an_authority_with_rsa() -> None:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding, rsa

    private = rsa.generate_private_key(65537, 3072)
    numbers = private.public_key().public_numbers()
    known = parse_public(s("ssh-rsa") + mpint(numbers.e) + mpint(numbers.n))
    for name, digest in (("rsa-sha2-256", hashes.SHA256()), ("rsa-sha2-512", hashes.SHA512())):
        signature = private.sign(b"message", padding.PKCS1v15(), digest)
        assert verify(known, s(name) + s(signature), b"message") is None
        with pytest.raises(InputError, match="does not hold"):
            verify(known, s(name) + s(signature), b"another")


def test_no_authorities() -> None:
    with pytest.raises(InputError, match="that a security key has signed"):
        parse_certificate(GOOD.but(authority=SK_CA).blob).check_signature()
    with pytest.raises(InputError, match="fewer than 3072 bits"):
        verify(parse_public(RSA), s("rsa-sha2-512") + s(b"x" * 128), b"")
    with pytest.raises(InputError, match="another type than its key"):
        verify(parse_public(RSA), s("ssh-rsa") + s(b"x" * 128), b"")


@given(st.binary(max_size=400) | st.binary(max_size=64).map(lambda tail: GOOD.blob[:150] + tail))
def test_any_bytes(data: bytes) -> None:
    is_certificate(data)
    for parse in (parse_certificate, parse_public):
        try:
            parse(data)
        except InputError:
            continue
    for key in (KEY, Key(ECDSA, private=_CURVE), Key(SK_ECDSA, private=_CURVE)):
        with pytest.raises(InputError):
            verify(parse_public(key.blob), data, b"message")


_CURVE = Key(ECDSA).private


@given(st.integers(0, len(GOOD.blob) - 1), st.integers(1, 255))
def test_any_byte_of_a_certificate(at: int, change: int) -> None:
    """Whatever is changed in a certificate, it is refused."""
    blob = bytearray(GOOD.blob)
    blob[at] ^= change
    try:
        read = parse_certificate(bytes(blob))
    except InputError:
        return
    if read.authority in WANTED.authorities:
        with pytest.raises(InputError):
            read.check_signature()


@given(st.binary(max_size=200))
def test_any_answer(data: bytes) -> None:
    with pytest.raises(DeniedError):
        let_in(lambda _: s(data), seconds=0.5)
