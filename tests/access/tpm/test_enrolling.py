"""From a TPM to a session, with a real swtpm; and what is refused on the way."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from access.rooms import World
from access.tpm.conftest import Makers, made_room, rules
from immure.access import DeniedError, Done, NoGrantError
from immure.access.records import Workstation, WorkstationKey
from immure.access.tpm import enrolling
from immure.access.tpm.device import ENDORSEMENT, OWNER, Tpm, TpmError
from immure.access.tpm.enrolling import answer_challenge, make_offer
from immure.access.tpm.evidence import Offer
from immure.access.tpm.structures import ORIGIN, RESTRICTED, SIGN, USER_AUTH, parse_area
from immure.errors import UsageError
from servers.program import Program, found, free_port

ADA = "prd-ada"


def chain(makers: Makers) -> list[bytes]:
    return [x509.load_pem_x509_certificate(makers.vendor.issuer.read_bytes()).public_bytes(Encoding.DER)]


def offered(makers: Makers, keys: Path, socket: Path | None = None, **options: Any) -> Offer:
    options = {"chain": chain(makers), **options}
    with Tpm(socket or makers.one) as tpm:
        return make_offer(tpm, keys, "laptop-17", **options)


def answered(makers: Makers, keys: Path, challenge: object, socket: Path | None = None) -> dict[str, Any]:
    with Tpm(socket or makers.one) as tpm:
        return answer_challenge(tpm, keys, challenge)


def proven(makers: Makers, room: World, keys: Path, account: str = ADA) -> tuple[Offer, dict[str, Any]]:
    """Evidence that a key is in a TPM, by way of JSON, as files bring it."""
    offer = offered(makers, keys)
    challenge = json.loads(json.dumps(room.door.begin_tpm(account, offer.to_json())))
    answer = json.loads(json.dumps(answered(makers, keys, challenge)))
    return offer, room.door.finish_tpm(answer)


def certified(public: Any, **changes: Any) -> bytes:
    """A certificate for a workstation, by an authority."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "laptop-17")])
    made = x509.CertificateBuilder(_VENDOR, name, public, x509.random_serial_number(), _BEGIN, _END)
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
    return made.add_extension(usage, False).sign(_AUTHORITY, hashes.SHA256()).public_bytes(Encoding.DER)


_BEGIN = datetime.now(UTC) - timedelta(days=1)
_END = _BEGIN + timedelta(days=90)
_VENDOR = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Vendor")])
_AUTHORITY = ec.generate_private_key(ec.SECP256R1())


def key_of(offer: Offer) -> Any:
    return x509.load_der_x509_csr(offer.request).public_key()


def bound(room: World, certificate: bytes, evidence: Mapping[str, Any] | None, account: str = ADA) -> Done:
    """Ask for a workstation, and let two others approve it."""
    asked = room.door.request_workstation(account, holder=account, certificate=certificate, evidence=evidence)
    request = room.sign(asked).id
    others = [one for one in ("prd-grace", "prd-edsger", "prd-barbara") if one != account]
    room.approve(request, others[0])
    return room.approve(request, others[1])


def test_from_a_tpm_to_a_session(makers: Makers, room: World, tmp_path: Path) -> None:
    offer, evidence = proven(makers, room, tmp_path / "keys")
    certificate = certified(key_of(offer))
    asked = room.door.request_workstation(ADA, holder=ADA, certificate=certificate, evidence=evidence)
    assert "  protection: tpm" in asked.words
    assert "    model: id:00001014 swtpm id:20191023" in asked.words
    assert len("\n".join(asked.words)) < 600, "people can read it"
    room.sign(asked)
    assert bound(room, certificate, evidence).state == "done"

    digest = hashlib.sha256(certificate).hexdigest()
    assert room.door.protection_of(digest) == "tpm"
    [key] = room.door.records(WorkstationKey)
    assert (key.id, key.state, key.model) == (digest, "tpm", "id:00001014 swtpm id:20191023")
    done = room.sign(room.door.begin_session(ADA, room.granted(), workstation=digest))
    assert done.secret is not None
    session, _ = room.door.session(done.secret.reveal(), workstation=digest)
    assert session.state == "open"
    assert room.door.verify() == len(room.door.log)  # from the log alone, every proof once more


def test_its_key_does_tls(makers: Makers, tmp_path: Path) -> None:
    """OpenSSL's provider for TPMs loads what was kept, and shows the workstation's certificate by it."""
    if not list(Path("/usr/lib").glob("*/ossl-modules/tpm2.so")):
        pytest.skip("NOT TESTED: OpenSSL has no provider for TPMs (Debian: tpm2-openssl)")
    openssl, port = found("openssl", "Debian: openssl"), free_port()
    offer = offered(makers, tmp_path / "keys")
    for name, public in (("laptop", key_of(offer)), ("server", _AUTHORITY.public_key())):
        made = x509.load_der_x509_certificate(certified(public))
        (tmp_path / f"{name}.pem").write_bytes(made.public_bytes(Encoding.PEM))
    private = _AUTHORITY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "server.key").write_bytes(private)
    (tmp_path / "ca.pem").write_text(_vouched(_AUTHORITY.public_key())[1])
    server = [openssl, "s_server", "-accept", f"127.0.0.1:{port}", "-cert", str(tmp_path / "server.pem")]
    server += ["-key", str(tmp_path / "server.key"), "-CAfile", str(tmp_path / "ca.pem"), "-www"]
    client = [openssl, "s_client", "-connect", f"127.0.0.1:{port}", "-cert", str(tmp_path / "laptop.pem")]
    client += ["-provider", "tpm2", "-provider", "default", "-propquery", "?provider=default"]
    client += ["-key", str(tmp_path / "keys" / "key.pem")]
    with Program([*server, "-Verify", "1", "-verify_return_error"], log=tmp_path / "log") as program:
        program.wait_for(port)
        done = subprocess.run(
            [*client, "-quiet", "-ign_eof"],
            input="GET / HTTP/1.0\r\n\r\n",
            env={"PATH": "/usr/bin:/bin", "TPM2OPENSSL_TCTI": f"swtpm:path={makers.one}"},
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert "HTTP/1.0 200 ok" in done.stdout, done.stderr + program.printed()
    assert "subject=CN=laptop-17" in done.stdout or "CN=laptop-17" in program.printed()


def test_an_endorsement_key_on_a_curve(makers: Makers, place: Path, tmp_path: Path) -> None:
    """A TPM whose certificate is not in it: it was got from its vendor."""
    with Tpm(makers.one) as tpm:
        handle, public = tpm.create_primary(ENDORSEMENT, enrolling.EK_ECC)
        tpm.flush(handle)
    certificate, root = _vouched(parse_area(public).public_key())
    room = made_room(place, rules("required", root))
    offer = offered(makers, tmp_path / "keys", endorsement=certificate, chain=())
    challenge = room.door.begin_tpm(ADA, offer.to_json())
    evidence = room.door.finish_tpm(answered(makers, tmp_path / "keys", challenge))
    assert bound(room, certified(key_of(offer)), evidence).state == "done"
    room.door.close()


def _vouched(public: Any, purpose: str = "2.23.133.8.1", critical: str = "") -> tuple[bytes, str]:
    """A certificate of an endorsement key, and the root that has signed it."""
    root = x509.CertificateBuilder(_VENDOR, _VENDOR, _AUTHORITY.public_key(), 1, _BEGIN, _END)
    root_made = root.add_extension(x509.BasicConstraints(True, None), True).sign(_AUTHORITY, hashes.SHA256())
    made = x509.CertificateBuilder(_VENDOR, x509.Name([]), public, x509.random_serial_number(), _BEGIN, _END)
    if purpose:
        usage = x509.ExtendedKeyUsage([x509.ObjectIdentifier(purpose)])
        made = made.add_extension(usage, False)
    if critical:
        oid = x509.ObjectIdentifier(critical)
        made = made.add_extension(x509.UnrecognizedExtension(oid, b"\x05\x00"), True)
    signed = made.sign(_AUTHORITY, hashes.SHA256())
    return signed.public_bytes(Encoding.DER), root_made.public_bytes(Encoding.PEM).decode()


# --- what the policy wants ---


def test_a_key_in_software(place: Path, makers: Makers) -> None:
    """Where the policy allows it, it is remembered as that; and no more let in when the policy is another."""
    room = made_room(place, rules("preferred", makers.vendor.root))
    certificate = certified(_AUTHORITY.public_key())
    digest = hashlib.sha256(certificate).hexdigest()
    assert bound(room, certificate, None).state == "done"
    assert room.door.protection_of(digest) == "software"
    grant = room.granted()
    done = room.sign(room.door.begin_session(ADA, grant, workstation=digest))
    assert done.secret is not None
    room.door.session(done.secret.reveal(), workstation=digest)

    request = room.sign(room.door.request_policy("prd-grace", rules("required", makers.vendor.root))).id
    room.approve(request, "prd-edsger")
    assert room.approve(request, "prd-barbara").state == "done"
    with pytest.raises(NoGrantError) as caught:
        room.door.session(done.secret.reveal(), workstation=digest)
    assert caught.value.rule == "tpm"
    with pytest.raises(DeniedError) as denied:
        room.door.begin_session(ADA, grant, workstation=digest)
    assert denied.value.rule == "tpm"
    assert room.door.verify()
    room.door.close()


def test_a_policy_that_does_not_look(place: Path, makers: Makers, tmp_path: Path) -> None:
    room = made_room(place, rules("off", makers.vendor.root))
    with pytest.raises(DeniedError, match="takes no evidence of TPMs"):
        room.door.begin_tpm(ADA, offered(makers, tmp_path / "keys").to_json())
    certificate = certified(_AUTHORITY.public_key())
    assert bound(room, certificate, None).state == "done"
    assert not room.door.records(WorkstationKey)
    assert room.door.protection_of(hashlib.sha256(certificate).hexdigest()) == "software"
    room.door.close()


def test_another_key_than_the_one_in_the_tpm(makers: Makers, room: World, tmp_path: Path) -> None:
    """The certificate must be for it, and the evidence must be this room's, for this account, and young."""
    offer, evidence = proven(makers, room, tmp_path / "keys")
    right, other = certified(key_of(offer)), certified(_AUTHORITY.public_key())
    for certificate, proof, holder, words in (
        (right, None, ADA, "and nothing proves it"),
        (other, evidence, ADA, "for another key than the one in the TPM"),
        (right, evidence, "prd-grace", "for another account"),
        (right, {**evidence, "v": 2}, ADA, "this room has made no such evidence"),
        (right, {}, ADA, "without the nonce"),
    ):
        with pytest.raises(DeniedError, match=words):
            room.door.request_workstation(ADA, holder=holder, certificate=certificate, evidence=proof)
    room.clock.pass_(hours=24)
    with pytest.raises(DeniedError, match="too old"):
        room.door.request_workstation(ADA, holder=ADA, certificate=right, evidence=evidence)
    assert not room.door.records(Workstation)


def test_one_tpm_for_two_people(makers: Makers, room: World, tmp_path: Path) -> None:
    """A workstation is one person's, whatever keys are made in it."""
    offer, evidence = proven(makers, room, tmp_path / "a")
    bound(room, certified(key_of(offer)), evidence)
    offer, evidence = proven(makers, room, tmp_path / "b")
    assert bound(room, certified(key_of(offer)), evidence).state == "done"  # a newer key of the same person
    offer, evidence = proven(makers, room, tmp_path / "c", "prd-grace")
    with pytest.raises(DeniedError, match="is that of a workstation of prd-ada"):
        bound(room, certified(key_of(offer)), evidence, "prd-grace")


# --- challenges ---


def test_a_challenge_is_for_one_answer(makers: Makers, room: World, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    offer = offered(makers, keys)
    challenge = room.door.begin_tpm(ADA, offer.to_json())
    answer = answered(makers, keys, challenge)
    wrong = {**answer, "activated": base64.urlsafe_b64encode(bytes(32)).rstrip(b"=").decode()}
    with pytest.raises(DeniedError, match="has not opened the secret"):
        room.door.finish_tpm(wrong)
    with pytest.raises(DeniedError, match="it was used, or never made"):
        room.door.finish_tpm(answer)  # also the right one comes too late then
    challenge = room.door.begin_tpm(ADA, offer.to_json())
    answer = answered(makers, keys, challenge)
    room.clock.pass_(minutes=15)
    with pytest.raises(DeniedError, match="too long ago"):
        room.door.finish_tpm(answer)
    challenge = room.door.begin_tpm(ADA, offer.to_json())
    assert room.door.finish_tpm(answered(makers, keys, challenge))
    with pytest.raises(DeniedError, match="it was used"):
        room.door.finish_tpm(answered(makers, keys, challenge))


def test_a_challenge_for_another_tpm(makers: Makers, room: World, tmp_path: Path) -> None:
    """The keys are in one TPM, and the certificate is that of another one: it opens nothing."""
    keys = tmp_path / "keys"
    mine = offered(makers, keys, makers.other)
    genuine = offered(makers, tmp_path / "genuine")
    mixed = Offer(genuine.endorsement, genuine.chain, mine.attestation, mine.key, mine.request)
    challenge = room.door.begin_tpm(ADA, mixed.to_json())
    with pytest.raises(TpmError):
        answered(makers, keys, challenge, makers.other)
    with pytest.raises(TpmError):
        answered(makers, tmp_path / "genuine", challenge)  # it is for another attestation key
    with pytest.raises(TpmError):
        answered(makers, keys, challenge, makers.one)  # what was wrapped there cannot be loaded here


def test_too_many_challenges(
    makers: Makers, room: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("immure.access.tpm.challenges.MOST_OPEN", 2)
    offer = offered(makers, tmp_path / "keys").to_json()
    for _ in range(2):
        room.door.begin_tpm(ADA, offer)
    with pytest.raises(DeniedError) as caught:
        room.door.begin_tpm(ADA, offer)
    assert caught.value.rule == "busy"
    room.clock.pass_(minutes=15)
    room.door.begin_tpm(ADA, offer)
    with pytest.raises(DeniedError, match="there is no account"):
        room.door.begin_tpm("prd-nobody", offer)


# --- keys that a TPM makes, and that are not taken ---


def _template(name: str, attributes: int, *, scheme: bool) -> bytes:
    """A key for signing with other attributes than it should have."""
    tail = enrolling.ATTESTATION if scheme else enrolling.KEY
    return tail[:4] + attributes.to_bytes(4, "big") + tail[8:]


_MOVABLE = ORIGIN | USER_AUTH | SIGN
TEMPLATES: dict[str, tuple[str, bytes, str]] = {
    "a key that can be moved": ("KEY", _template("KEY", _MOVABLE, scheme=False), "could leave its TPM"),
    "a key that attests itself": ("KEY", enrolling.ATTESTATION, "is not one that signs, and no more"),
    "an attestation key that signs anything": ("ATTESTATION", enrolling.KEY, "not a restricted one"),
    "an attestation key that can be moved": (
        "ATTESTATION",
        _template("ATTESTATION", _MOVABLE | RESTRICTED, scheme=True),
        "not a restricted one",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", TEMPLATES)
def test_keys_that_are_not_taken(
    makers: Makers, room: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    name, template, words = TEMPLATES[case]
    monkeypatch.setattr(enrolling, name, template)
    if name == "KEY" and template is enrolling.ATTESTATION:
        monkeypatch.setattr(enrolling, "_request", lambda *_: b"")
    offer = offered(makers, tmp_path / "keys")
    with pytest.raises(DeniedError, match=words) as caught:
        room.door.begin_tpm(ADA, offer.to_json())
    assert caught.value.rule == "tpm"


def _without_chain(offer: Offer, makers: Makers) -> Offer:
    return Offer(offer.endorsement, (), offer.attestation, offer.key, offer.request)


def _other_request(offer: Offer, makers: Makers) -> Offer:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "laptop-17")])
    made = x509.CertificateSigningRequestBuilder(name).sign(_AUTHORITY, hashes.SHA256())
    return Offer(
        offer.endorsement, offer.chain, offer.attestation, offer.key, made.public_bytes(Encoding.DER)
    )


def _broken_request(offer: Offer, makers: Makers) -> Offer:
    broken = offer.request[:-1] + bytes([offer.request[-1] ^ 1])
    return Offer(offer.endorsement, offer.chain, offer.attestation, offer.key, broken)


def _own_vendor(offer: Offer, makers: Makers) -> Offer:
    return Offer(_vouched(key_of(offer))[0], (), offer.attestation, offer.key, offer.request)


def _issuer_for_a_tpm(offer: Offer, makers: Makers) -> Offer:
    """The vendor's own certificate is no TPM's."""
    return Offer(offer.chain[0], (), offer.attestation, offer.key, offer.request)


OFFERS: dict[str, tuple[Callable[[Offer, Makers], Offer], str]] = {
    "without what is between": (_without_chain, "does not lead to a root"),
    "a request for another key": (_other_request, "request for another key"),
    "a request that is not signed": (_broken_request, "certificate request that"),
    "a vendor of its own": (_own_vendor, "does not lead to a root"),
    "the certificate of the vendor": (_issuer_for_a_tpm, "certificate of an authority"),
}


@pytest.mark.parametrize("case", OFFERS)
def test_offers_that_are_not_taken(makers: Makers, room: World, case: str) -> None:
    change, words = OFFERS[case]
    with tempfile.TemporaryDirectory() as base:
        offer = change(offered(makers, Path(base) / "keys"), makers)
    with pytest.raises(DeniedError, match=words) as caught:
        room.door.begin_tpm(ADA, offer.to_json())
    assert caught.value.rule == "tpm"


CERTIFICATES = {
    "for TLS": ("1.3.6.1.5.5.7.3.1", "", "not one of an endorsement key"),
    "for nothing": ("", "", "not one of an endorsement key"),
    "that demands what is not known": ("2.23.133.8.1", "1.2.3.4", "demands 1.2.3.4"),
}


@pytest.mark.parametrize("case", CERTIFICATES)
def test_certificates_that_are_no_tpms(makers: Makers, place: Path, tmp_path: Path, case: str) -> None:
    """A vendor's authority signs other certificates too."""
    purpose, critical, words = CERTIFICATES[case]
    certificate, root = _vouched(_AUTHORITY.public_key(), purpose, critical)
    room = made_room(place, rules("required", root))
    offer = offered(makers, tmp_path / "keys", endorsement=certificate, chain=())
    with pytest.raises(DeniedError, match=words):
        room.door.begin_tpm(ADA, offer.to_json())
    room.door.close()


def test_directories_and_devices(makers: Makers, tmp_path: Path) -> None:
    offered(makers, tmp_path / "keys")
    for name in ("attestation.tpm", "key.tpm", "key.pem"):
        assert (tmp_path / "keys" / name).stat().st_mode & 0o777 == 0o600
    with pytest.raises(UsageError, match="File exists"):
        offered(makers, tmp_path / "keys")
    with pytest.raises(UsageError, match="No such file"):
        Tpm(tmp_path / "nowhere")
    with Tpm(makers.one) as tpm, pytest.raises(TpmError, match="refuses command 0x131"):
        tpm.create_primary(OWNER, b"\0\1")
