"""Keys of a transit engine: the documented API, at a server of our own; and everything that goes wrong."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.custody import transit_server
from tests.custody.transit_server import TOKEN, Key, Transit

from immure.custody import open_signer, transit
from immure.custody.algorithms import is_signature
from immure.custody.vault_uri import parse_vault_uri
from immure.errors import SignerError

TYPES = {
    "RS256": "rsa-2048",
    "PS256": "rsa-2048",
    "ES256": "ecdsa-p256",
    "ES384": "ecdsa-p384",
    "EdDSA": "ed25519",
}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Transit]:
    with transit_server.serving(tmp_path_factory.mktemp("vault")) as server:
        yield server


@pytest.fixture
def server(running: Transit) -> Transit:
    running.reset()
    return running


def engine(server: Transit, seconds: float | None = None) -> transit.Transit:
    return transit.Transit(parse_vault_uri(server.uri("transit/k")), "vault:transit/k", seconds)


@pytest.mark.parametrize("algorithm", TYPES)
def test_signatures_hold(server: Transit, algorithm: str) -> None:
    server.keys["release"] = Key(TYPES[algorithm], {})
    with open_signer(server.uri("transit/release", f"&alg={algorithm}")) as signer:
        assert signer.uri == "vault:transit/release?…"
        for message in (b"", b"message", bytes(50_000)):
            signature = signer.sign(message)
            assert is_signature(signer.public.numbers, signer.algorithm, message, signature)
        assert signer.warning is None
    with pytest.raises(SignerError, match="is closed"):
        signer.sign(b"")
    assert {place for _, place in server.asked} <= {
        "/v1/transit/keys/release",
        "/v1/transit/sign/release",
        "/v1/transit/sign/release/sha2-256",
        "/v1/transit/sign/release/sha2-384",
    }


def test_versions(server: Transit) -> None:
    key = server.keys["k"] = Key("ecdsa-p256", {})
    first = open_signer(server.uri("transit/k"))
    key.rotate()
    assert first.sign(b"m")  # by the version that it was opened with
    second = open_signer(server.uri("transit/k"))
    assert second.thumbprint != first.thumbprint
    assert open_signer(server.uri("transit/k", "&version=1")).thumbprint == first.thumbprint
    with pytest.raises(SignerError, match="the key has no version 3"):
        open_signer(server.uri("transit/k", "&version=3"))


def test_a_key_that_can_be_taken_out_says_so(server: Transit) -> None:
    for asked in ({"exportable": True}, {"allow_plaintext_backup": True}):
        server.keys["k"] = Key("ed25519", asked)
        warning = open_signer(server.uri("transit/k")).warning
        assert warning is not None
        assert "would give this key out" in warning


def test_namespace(server: Transit) -> None:
    server.keys["k"] = Key("ed25519", {})
    open_signer(server.uri("transit/k", "&namespace=team/a"))
    assert server.headers[-1]["X-Vault-Namespace"] == "team/a"


def test_made_by_us_and_destroyed(server: Transit) -> None:
    made = engine(server)
    assert made.find("ours") is None
    made.make("ours", "ES256", 0)
    made.make("ours", "ES256", 0)
    found = made.find("ours")
    assert found is not None
    assert found.stays_inside
    assert list(found.public) == [1]
    made.destroy("ours")
    made.destroy("ours")
    assert made.find("ours") is None
    with pytest.raises(SignerError, match="refused"):
        made.sign("ours", 1, "ES256", b"m")


def test_connections_are_kept_and_made_anew(server: Transit) -> None:
    server.keys["k"] = Key("ed25519", {})
    signer = open_signer(server.uri("transit/k"))
    pool = signer._transit.http._free  # type: ignore[attr-defined]
    [kept] = pool
    signer.sign(b"m")
    assert pool == [kept]
    kept.sock.shutdown(socket.SHUT_RDWR)  # as if the server had ended it meanwhile
    signer.sign(b"m")
    assert len(pool) == 1
    assert pool != [kept]


# --- what goes wrong ---


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (400, "refused"),
        (403, "access denied"),
        (404, "no such key"),
        (405, "no transit engine"),
        (307, r"points to another \(307\)"),
        (412, "has not caught up"),
        (429, "throttled"),
        (473, "standby"),
        (500, "reports a fault"),
        (503, "sealed"),
        (418, "answers 418"),
        (b"", "cannot be reached: RemoteDisconnected|cannot be reached"),
        (b"hello\r\n\r\n", "not HTTP"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n", "not HTTP"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n", "not HTTP"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}",
            "cannot be|not HTTP|no signature|no description",
        ),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n{", "not JSON"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "not HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n[", "not JSON"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]", "not JSON"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\n" + b"[" * 50_000, "not JSON"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n" + b" " * 2_000_000, "more than 1048576 bytes"),
    ],
)
def test_answers_that_are_none(server: Transit, fault: int | bytes, words: str) -> None:
    server.keys["k"] = Key("ed25519", {})
    signer = open_signer(server.uri("transit/k"))
    server.fault = fault
    for ask in (lambda: signer.sign(b"m"), lambda: open_signer(server.uri("transit/k"))):
        with pytest.raises(SignerError, match=words) as caught:
            ask()
        assert TOKEN not in str(caught.value)
    assert all(method in ("GET", "POST") for method, _ in server.asked)
    server.fault = None
    assert signer.sign(b"m")


@pytest.mark.parametrize("fault", ["drip", 3.0])
def test_a_server_that_takes_its_time(server: Transit, fault: str | float) -> None:
    server.fault = fault
    begin = time.monotonic()
    with pytest.raises(SignerError, match=r"no answer within 0\.3 s"):
        engine(server, 0.3).find("k")
    assert time.monotonic() - begin < 2.5


def test_a_server_that_never_begins_tls(server: Transit) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        text = server.uri("transit/k").replace(
            server.address.rpartition(":")[2], str(silent.getsockname()[1])
        )
        with pytest.raises(SignerError, match=r"no answer within 0\.3 s|cannot be reached: TimeoutError"):
            transit.Transit(parse_vault_uri(text), "vault:t/k", 0.3).find("k")


def test_tls_that_drips(server: Transit) -> None:
    """Each byte comes in time, and all of them never."""
    import threading

    with socket.create_server(("127.0.0.1", 0)) as slow:

        def drip() -> None:
            with suppress(OSError):
                stream, _ = slow.accept()
                stream.sendall(b"\x16\x03\x03\x40\x00")
                for _ in range(100):
                    stream.sendall(b"\x02")
                    time.sleep(0.05)

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        text = server.uri("transit/k").replace(server.address.rpartition(":")[2], str(slow.getsockname()[1]))
        with pytest.raises(SignerError, match=r"no answer within 0\.3 s|TLS failed"):
            transit.Transit(parse_vault_uri(text), "vault:t/k", 0.3).find("k")


def test_nobody_there(server: Transit) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    text = server.uri("transit/k").replace(server.address.rpartition(":")[2], str(port))
    with pytest.raises(SignerError, match="cannot be reached: Connection refused"):
        open_signer(text)


def test_a_certificate_of_somebody_else(server: Transit, tmp_path: Path) -> None:
    from servers.tls import Authority

    other = Authority(tmp_path).certificate
    text = server.uri("transit/k").replace(
        parse_vault_uri(server.uri("t/k")).ca.replace("/", "%2F"),  # type: ignore[union-attr]
        str(other).replace("/", "%2F"),
    )
    with pytest.raises(SignerError, match="the server's certificate does not hold"):
        open_signer(text)
    assert server.asked == []
    (tmp_path / "empty").write_text("no certificate")
    with pytest.raises(SignerError, match="ca: "):
        open_signer(text.replace("authority.pem", "empty"))


ANSWERS = [
    {},
    {"data": None},
    {"data": []},
    {"data": {"keys": {}}},
    {"data": {"type": "ed25519", "keys": {"1": {"public_key": "AAAA"}}, "latest_version": 1}},
    {"data": {"type": "ed25519", "keys": {"1": {"public_key": "?"}}, "latest_version": 1}},
    {"data": {"type": "ecdsa-p256", "keys": {"1": {"public_key": "AAAA"}}, "latest_version": 1}},
    {"data": {"type": "rsa-2048", "keys": {"1": {"public_key": "-----BEGIN PUBLIC KEY-----AAAA"
              "-----END PUBLIC KEY-----"}}, "latest_version": 1}},
    {"data": {"type": "ed25519", "keys": {"x": {"public_key": "AAAA"}}, "latest_version": 1}},
    {"data": {"type": "aes256-gcm96", "keys": {"1": 1700000000}, "latest_version": 1}},
    {"data": {"type": 7, "keys": {"1": {}}, "latest_version": 1}},
    {"data": {"signature": "vault:v1:"}},
    {"data": {"signature": "vault:v2:AAAA"}},
    {"data": {"signature": "vault:v1:AAA"}},
    {"data": {"signature": 7}},
    {"data": {"signature": "vault:v1:AAAA"}},
]  # fmt: skip


@pytest.mark.parametrize("answer", ANSWERS)
def test_answers_of_another_form(server: Transit, answer: object) -> None:
    server.keys["k"] = Key("ed25519", {})
    signer = open_signer(server.uri("transit/k"))
    server.answer = answer
    with pytest.raises(SignerError, match=r"can be understood|does not hold"):
        signer.sign(b"m")
    with pytest.raises(SignerError, match=r"can be understood|not for signing|half is refused"):
        open_signer(server.uri("transit/k"))


#: One client for all examples: beginning TLS is what takes time.
MADE: dict[Transit, transit.Transit] = {}


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=9),
        lambda one: (
            st.lists(one)
            | st.dictionaries(
                st.sampled_from(["data", "keys", "signature", "type", "latest_version", "1"]), one
            )
        ),
        max_leaves=12,
    )
)
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_answer(running: Transit, answer: object) -> None:
    running.reset()
    running.fault = None
    running.answer = answer
    made = MADE.get(running) or MADE.setdefault(running, engine(running))
    for ask in (lambda: made.find("k"), lambda: made.sign("k", 1, "ES256", b"m")):
        with suppress(SignerError):
            ask()


def test_a_signature_of_another_key(server: Transit) -> None:
    server.keys["k"] = Key("ecdsa-p256", {})
    signer = open_signer(server.uri("transit/k"))
    server.keys["k"] = Key("ecdsa-p256", {})
    with pytest.raises(SignerError, match="does not hold"):
        signer.sign(b"m")


def test_a_key_that_stays_though_it_was_deleted(server: Transit) -> None:
    server.keys["k"] = Key("ed25519", {})
    made = engine(server)
    described = {"data": server.keys["k"].described("k")}
    server.answer = described
    with pytest.raises(SignerError, match="still has it"):
        made.destroy("k")


# --- the token ---


def test_a_token_that_is_renewed(server: Transit, tmp_path: Path) -> None:
    server.keys["k"] = Key("ed25519", {})
    file = tmp_path / "token"
    file.write_text("hvs.old")
    file.chmod(0o600)
    with pytest.raises(SignerError, match="access denied: the token may not"):
        open_signer(server.uri("transit/k", token=file))
    file.write_text(f"{TOKEN}\nsomething else\n")
    signer = open_signer(server.uri("transit/k", token=file))
    other = tmp_path / "other"
    other.write_text("hvs.worse")
    other.chmod(0o600)
    os.replace(other, file)
    with pytest.raises(SignerError, match="access denied"):
        signer.sign(b"m")


@pytest.mark.parametrize(
    ("content", "mode", "words"),
    [
        (b"", 0o600, "no token in its first line"),
        (b"\nhvs", 0o600, "no token in its first line"),
        (b"hvs 4711", 0o600, "no token in its first line"),
        (b"hvs\x004711", 0o600, "no token in its first line"),
        (b"hvs\xc3\xa9", 0o600, "no token in its first line"),
        (b"4711" * 2000, 0o600, "is larger than 4096 bytes"),
        (b"4711", 0o644, "others have permissions"),
        (None, 0, "No such file"),
    ],
)
def test_files_without_a_token(
    server: Transit, tmp_path: Path, content: bytes | None, mode: int, words: str
) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)
        file.chmod(mode)
    with pytest.raises(SignerError, match=words) as caught:
        open_signer(server.uri("transit/k", token=file))
    assert "4711" not in str(caught.value)
    assert server.asked == []


# --- URIs ---

HERE = "?address=https://vault.example:8200&token-source=/t"


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("vault:" + HERE, "is not of the form vault:MOUNT/KEY"),
        ("vault:transit" + HERE, "is not of the form"),
        ("vault:transit/" + HERE, "is not of the form"),
        ("vault:/k" + HERE, "is not of the form"),
        ("vault:transit/../k" + HERE, "is not of the form"),
        ("vault:transit/a%2Fb" + HERE, "is not of the form"),
        ("vault:transit/k?token-source=/t", "needs address=URL"),
        ("vault:transit/k?address=https://vault.example", "needs token-source=FILE"),
        ("vault:transit/k?address=http://vault.example&token-source=/t", "only https"),
        ("vault:transit/k?address=https://vault.example/v1&token-source=/t", "and nothing else"),
        ("vault:transit/k?address=https://u:4711@vault.example&token-source=/t", "a user name"),
        ("vault:transit/k" + HERE + "&token=4711", "options of a vault: URI are"),
        ("vault:transit/k" + HERE + "&alg=RS256&alg=PS256", "alg is given twice"),
        ("vault:transit/k" + HERE + "&version=0", "version is not a number"),
        ("vault:transit/k" + HERE + "&namespace=a%0Ab", "no name of a namespace"),
        ("vault:" + "a" * 5000, "longer than"),
    ],
)
def test_uris_that_are_refused(uri: str, words: str) -> None:
    with pytest.raises(SignerError, match=words) as caught:
        open_signer(uri)
    assert "4711" not in str(caught.value)


def test_uris_that_are_understood() -> None:
    made = parse_vault_uri("vault:team/transit/k?address=http://127.0.0.1:8100/")
    assert (made.mount, made.key, made.address) == ("team/transit", "k", "http://127.0.0.1:8100")
    made = parse_vault_uri("vault:team/transit/" + HERE, names_key=False)
    assert (made.mount, made.key, made.token_source) == ("team/transit", "", "/t")


@given(st.text(max_size=60), st.booleans())
def test_whatever_is_given(text: str, names_key: bool) -> None:
    with suppress(SignerError):
        made = parse_vault_uri(f"vault:{text}", names_key=names_key)
        assert not {"..", "."} & set(f"{made.mount}/{made.key}".split("/"))
    with suppress(SignerError):
        made = parse_vault_uri(f"vault:{text}{HERE}", names_key=names_key)
        assert json.dumps(made.mount).isascii()
        assert not {"..", "."} & set(f"{made.mount}/{made.key}".split("/"))
