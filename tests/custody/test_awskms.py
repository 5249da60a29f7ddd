"""Keys in KMS: moto's server where KMS is asked as in life, a scripted one for what goes wrong."""

from __future__ import annotations

import base64
import hashlib
import json
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.custody import keys, kms_server
from tests.custody.kms_server import REGION, SECRET, Kms, Scripted

from immure.custody import awskms, open_signer
from immure.custody.algorithms import algorithms_of, is_signature
from immure.custody.awskms_signer import KmsSigner
from immure.custody.awskms_uri import parse_kms_uri
from immure.custody.public_half import from_spki
from immure.errors import SignerError

KEY = "1234abcd-12ab-34cd-56ef-1234567890ab"
SPECS = {"RS256": "RSA_2048", "PS256": "RSA_2048", "ES256": "ECC_NIST_P256", "ES384": "ECC_NIST_P384"}


@pytest.fixture(scope="module", autouse=True)
def credentials(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        kms_server.give_credentials(patch, tmp_path_factory.mktemp("aws"))
        yield


@pytest.fixture(scope="module")
def kms(credentials: None) -> Iterator[Kms]:
    with kms_server.serving() as made:
        yield made


@pytest.fixture(scope="module")
def script(credentials: None) -> Iterator[Scripted]:
    with kms_server.scripted() as made:
        yield made


@pytest.fixture
def scripted(script: Scripted) -> Scripted:
    script.answers, script.asked = [(500, b"{}")], []
    script.special.clear()
    return script


@pytest.fixture(scope="module")
def client(script: Scripted) -> awskms.Kms:
    """Of the scripted server; to make one takes half a second."""
    return awskms.Kms(parse_kms_uri(script.uri(KEY)), "awskms:…")


@pytest.fixture
def signer(client: awskms.Kms, scripted: Scripted) -> KmsSigner:
    return signer_of("P-256", client)


@pytest.fixture(autouse=True)
def without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two attempts the library waits up to a second."""
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)


@pytest.mark.parametrize("algorithm", SPECS)
def test_signatures_hold(kms: Kms, algorithm: str) -> None:
    key = kms.make(SPECS[algorithm])
    with open_signer(kms.uri(key, f"&alg={algorithm}")) as signer:
        assert signer.algorithm == algorithm
        for message in (b"", b"message", bytes(100_000)):
            signature = signer.sign(message)
            assert is_signature(signer.public.numbers, signer.algorithm, message, signature)
        assert signer.uri == f"awskms:{key}?…"
        assert signer.warning is None
    with pytest.raises(SignerError, match="is closed"):
        signer.sign(b"")


def test_by_alias_and_arn(kms: Kms) -> None:
    made = kms.client.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]
    kms.client.create_alias(AliasName="alias/team/release", TargetKeyId=made["KeyId"])
    names = {
        open_signer(kms.uri(one)).thumbprint for one in (made["Arn"], made["KeyId"], "alias/team/release")
    }
    assert len(names) == 1


@pytest.mark.parametrize(
    ("spec", "usage", "more", "words"),
    [
        ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "", "not for signing|KMS does not"),
        ("RSA_2048", "ENCRYPT_DECRYPT", "", "the key is not for signing"),
        ("ECC_SECG_P256K1", "SIGN_VERIFY", "", "refused|do not sign here"),
        ("ECC_NIST_P256", "SIGN_VERIFY", "&alg=RS256", "not by 'RS256'"),
    ],
)
def test_keys_that_do_not_sign_here(kms: Kms, spec: str, usage: str, more: str, words: str) -> None:
    with pytest.raises(SignerError, match=words):
        open_signer(kms.uri(kms.make(spec, usage), more))


def test_a_key_that_is_not_there_or_not_in_use(kms: Kms) -> None:
    with pytest.raises(SignerError, match="there is no such key"):
        open_signer(kms.uri(KEY))
    key = kms.make("ECC_NIST_P256")
    signer = open_signer(kms.uri(key))
    kms.client.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    kms.client.cancel_key_deletion(KeyId=key)
    kms.client.enable_key(KeyId=key)
    assert signer.sign(b"again")


def test_made_by_us_and_destroyed(kms: Kms) -> None:
    made = awskms.Kms(parse_kms_uri(kms.uri("alias/x")), "awskms:alias/x")
    assert made.public("alias/ours") is None
    made.make("alias/ours", "ES256", 0, "words")
    first = made.public("alias/ours")
    assert first is not None
    made.make("alias/ours", "ES256", 0, "words")  # as if two processes did: the first stays, the second goes
    again = made.public("alias/ours")
    assert again is not None
    assert again.thumbprint == first.thumbprint
    states = [
        kms.client.describe_key(KeyId=one["KeyId"])["KeyMetadata"] for one in kms.client.list_keys()["Keys"]
    ]
    ours = [one["KeyState"] for one in states if one["Description"] == "words"]
    assert sorted(ours) == ["Enabled", "PendingDeletion"]
    made.destroy("alias/ours")
    made.destroy("alias/ours")
    assert made.public("alias/ours") is None
    states = [
        kms.client.describe_key(KeyId=one["KeyId"])["KeyMetadata"] for one in kms.client.list_keys()["Keys"]
    ]
    assert [one["KeyState"] for one in states if one["Description"] == "words"] == ["PendingDeletion"] * 2


# --- what goes wrong ---


def signer_of(kind: str, client: awskms.Kms) -> KmsSigner:
    public = from_spki(spki(kind), "test")
    return KmsSigner("awskms:…", public, algorithms_of(public.numbers)[0], client, KEY)


def spki(kind: str) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return keys.key(kind).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


CODES = [
    ("AccessDeniedException", 400, "access denied", 1),
    ("ThrottlingException", 400, "throttled", 2),
    ("KMSInternalException", 500, "cannot do it just now", 2),
    ("DependencyTimeoutException", 500, "cannot do it just now", 2),
    ("DisabledException", 400, "not in use", 1),
    ("KMSInvalidStateException", 400, "waiting to be deleted", 1),
    ("ExpiredTokenException", 400, "have run out", 1),
    ("UnrecognizedClientException", 400, "credentials are wrong", 1),
    ("InvalidKeyUsageException", 400, "not for signing, or not by this algorithm", 1),
    ("SomethingNew", 400, r"refuses it \(SomethingNew\)", 1),
    ("bad code\n4711", 400, "without a code", 1),
]


@pytest.mark.parametrize(("code", "status", "words", "attempts"), CODES)
def test_errors_of_kms(
    scripted: Scripted,
    signer: KmsSigner,
    client: awskms.Kms,
    code: str,
    status: int,
    words: str,
    attempts: int,
) -> None:
    scripted.refuse(code, status, f"said with {SECRET} in it, 4711")
    asking = (lambda: signer.sign(b"m"), lambda: client.public(KEY), lambda: client.destroy("alias/a"))
    for ask in asking:
        scripted.asked.clear()
        with pytest.raises(SignerError, match=words) as caught:
            ask()
        assert SECRET not in str(caught.value)
        assert "4711" not in str(caught.value)
        assert len(scripted.asked) == attempts


def test_no_such_key(scripted: Scripted, signer: KmsSigner, client: awskms.Kms) -> None:
    scripted.refuse("NotFoundException")
    with pytest.raises(SignerError, match="no such key"):
        signer.sign(b"m")
    assert client.public(KEY) is None
    client.destroy("alias/a")
    assert [name for name, _ in scripted.asked] == ["Sign", "GetPublicKey", "DescribeKey"]


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{}", b"[]", b"null", b"7", b"\xff", b"{", b"[" * 5000, b'{"Signature": 7}',
        b'{"Signature": "?"}', b'{"Signature": null}', b'{"Signature": "AAAA"}', b'{"Signature": ["AAAA"]}',
        b'{"KeyUsage": "SIGN_VERIFY", "PublicKey": "AAAA", "KeyMetadata": []}', b'{"Signature": {}}',
        b'{"KeyMetadata": {"KeyState": 1}}',
    ],
)  # fmt: skip
def test_answers_that_are_none(
    scripted: Scripted, signer: KmsSigner, client: awskms.Kms, body: bytes
) -> None:
    scripted.answers = [(200, body)]
    with pytest.raises(SignerError, match=r"cannot be understood|does not hold|library of AWS"):
        signer.sign(b"m")
    with pytest.raises(SignerError, match=r"cannot be understood|library of AWS|half is refused"):
        client.public(KEY)
    with pytest.raises(SignerError, match=r"cannot be understood|library of AWS"):
        client.destroy("alias/a")
    with pytest.raises(SignerError, match=r"cannot be understood|library of AWS"):
        client.make("alias/a", "ES256", 0, "")


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=9),
        lambda one: (
            st.lists(one)
            | st.dictionaries(
                st.sampled_from(["Signature", "PublicKey", "KeyUsage", "KeyMetadata", "KeyId", "Error"]), one
            )
        ),
        max_leaves=9,
    )
)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_answer(client: awskms.Kms, script: Scripted, answer: object) -> None:
    script.answers, script.special = [(200, json.dumps(answer).encode())], {}
    for ask in (lambda: client.public(KEY), lambda: client.sign(KEY, "ES256", b"m")):
        with suppress(SignerError):
            ask()


def test_a_signature_of_another_key(scripted: Scripted, signer: KmsSigner) -> None:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    other = ec.generate_private_key(ec.SECP256R1()).sign(b"m", ec.ECDSA(hashes.SHA256()))
    scripted.answers = [(200, json.dumps({"Signature": base64.b64encode(other).decode()}).encode())]
    with pytest.raises(SignerError, match="does not hold"):
        signer.sign(b"m")


def test_ed25519_goes_there_whole(scripted: Scripted, client: awskms.Kms) -> None:
    """moto has no Ed25519: what is asked is what the API reference says, and the signature is one."""
    signer = signer_of("Ed25519", client)
    made = keys.key("Ed25519").sign(b"message")
    scripted.answers = [(200, json.dumps({"Signature": base64.b64encode(made).decode()}).encode())]
    assert signer.sign(b"message") == made
    name, asked = scripted.asked[-1]
    assert (name, asked["MessageType"], asked["SigningAlgorithm"]) == ("Sign", "RAW", "ED25519_SHA_512")
    assert base64.b64decode(asked["Message"]) == b"message"
    with pytest.raises(SignerError, match="at most 4096 bytes by EdDSA, not 4097"):
        signer.sign(bytes(4097))


def test_a_message_goes_there_as_its_digest(scripted: Scripted, signer: KmsSigner) -> None:
    with pytest.raises(SignerError):
        signer.sign(b"personal")
    _, asked = scripted.asked[0]
    assert asked["MessageType"] == "DIGEST"
    assert base64.b64decode(asked["Message"]) == hashlib.sha256(b"personal").digest()


def test_nobody_there() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        uri = f"awskms:{KEY}?region={REGION}&endpoint=http://127.0.0.1:{taken.getsockname()[1]}"
    with pytest.raises(SignerError, match="cannot be reached"):
        open_signer(uri)


def test_a_server_that_is_silent(scripted: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(awskms, "_READ", 0.2)
    scripted.answers = [1.0]
    with pytest.raises(SignerError, match="did not answer within"):
        open_signer(scripted.uri(KEY))


def test_no_credentials(tmp_path: Path, scripted: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(SignerError, match="no credentials where the tools of AWS look"):
        open_signer(scripted.uri(KEY))
    with pytest.raises(SignerError, match="no such profile"):
        open_signer(f"awskms:{KEY}?profile=nobody")
    assert scripted.asked == []


def test_no_region(tmp_path: Path) -> None:
    with pytest.raises(SignerError, match="no region is given"):
        open_signer(f"awskms:{KEY}")


def test_without_boto3(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "boto3", None)
    with pytest.raises(SignerError, match=r"pip install 'immure\[awskms\]'"):
        open_signer(f"awskms:{KEY}?region={REGION}")


# --- URIs ---


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("awskms:", "names no key"),
        ("awskms:release", "names no key"),
        ("awskms:alias/", "names no key"),
        ("awskms:arn:aws:kms:eu-central-1:1:key/x", "names no key"),
        (f"awskms:{KEY}?secret=4711", "options of an awskms: URI are"),
        (f"awskms:{KEY}?region", "options of an awskms: URI are"),
        (f"awskms:{KEY}?region=a&region=b", "region is given twice"),
        (f"awskms:{KEY}?region=here", "region is no name of a region"),
        (f"awskms:{KEY}?profile=a%0Ab", "profile is no name"),
        (f"awskms:{KEY}?endpoint=http://kms.example", "endpoint: only https"),
        (f"awskms:{KEY}?endpoint=https://user:4711@kms.example", "endpoint: URL with a user name"),
        ("awskms:" + "a" * 3000, "longer than"),
    ],
)
def test_uris_that_are_refused(uri: str, words: str) -> None:
    with pytest.raises(SignerError, match=words) as caught:
        open_signer(uri)
    assert "4711" not in str(caught.value)


@pytest.mark.parametrize(
    "key",
    [
        KEY,
        "mrk-1234abcd12ab34cd56ef1234567890ab",
        "alias/a/b-c_d",
        f"arn:aws-cn:kms:cn-north-1:123456789012:key/{KEY}",
        "arn:aws:kms:us-east-1:123456789012:alias/a",
    ],
)
def test_keys_that_are_understood(key: str) -> None:
    assert parse_kms_uri(f"awskms:{key}").key == key


@given(st.text(max_size=60))
def test_whatever_is_given(text: str) -> None:
    try:
        parse_kms_uri(f"awskms:{text}")
    except SignerError:
        return
