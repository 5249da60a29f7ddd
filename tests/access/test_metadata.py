from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from fido2.mds3 import parse_blob
from hypothesis import given, settings
from hypothesis import strategies as st

from access.authenticator import AAGUID, OTHER_AAGUID, Authenticator, Authority, b64, unb64, uuid, vendor
from access.metadata_service import NAME, Service, entry
from access.rooms import World, policy_text
from immure.access import DeniedError, MetadataError
from immure.access.webauthn.metadata import parse_metadata
from immure.errors import UsageError

NOW = datetime(2026, 11, 30, tzinfo=UTC)
SERVICE = Service()


def parse(blob: bytes, service: Service = SERVICE, **options: Any) -> Any:
    return parse_metadata(blob, [service.root.certificate], **{"signer": NAME, "at": NOW, **options})


@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
def test_a_blob_that_is_right(algorithm: str) -> None:
    service = Service(algorithm=algorithm)
    found = parse(service.blob(entry(), entry(OTHER_AAGUID, "FIDO_CERTIFIED_L1", "REVOKED")), service)
    assert (found.number, found.next_update) == (7, date(2026, 12, 31))
    assert found.models[uuid(AAGUID)].broken == ()
    assert found.models[uuid(OTHER_AAGUID)].broken == ("REVOKED",)
    assert len(found.models[uuid(AAGUID)].roots) == 1


def test_fido2_reads_the_same() -> None:
    """By RS256 only: of ES256 it expects signatures in DER, which RFC 7518 (section 3.4) does not have."""
    service = Service(algorithm="RS256")
    theirs = parse_blob(service.blob(), service.root.der)
    assert theirs.no == parse(service.blob(), service).number
    assert [str(one.aaguid) for one in theirs.entries] == list(parse(service.blob(), service).models)


def test_an_intermediate() -> None:
    root = Authority.root("Example Public Root")
    service = Service(root=root, issuer=root.intermediate("Example Public Issuing"))
    assert parse(service.blob(), service).number == 7


def test_keys_without_a_model_are_stepped_over() -> None:
    blob = SERVICE.blob(entry(), {"aaid": "1234#5678", "statusReports": []}, "noise")  # type: ignore[arg-type]
    assert list(parse(blob).models) == [uuid(AAGUID)]


def changed(part: int, change: Callable[[dict[str, Any]], Any]) -> bytes:
    """A blob changed behind its signature."""
    parts = SERVICE.blob().decode().split(".")
    members = json.loads(unb64(parts[part]))
    change(members)
    parts[part] = b64(json.dumps(members).encode())
    return ".".join(parts).encode()


SHORT = Service(algorithm="RS256", key=rsa.generate_private_key(public_exponent=65537, key_size=1024))
EVIL = Authority.root("Example Public Root")
ROWS: dict[str, tuple[str, Callable[[], tuple[bytes, Service]]]] = {
    "empty": ("three texts", lambda: (b"", SERVICE)),
    "two parts": ("three texts", lambda: (b"aaaa.bbbb", SERVICE)),
    "padding": ("three texts", lambda: (SERVICE.blob() + b"=", SERVICE)),
    "a header that is no JSON": ("the header is no JSON", lambda: (b"aaaa.bbbb.cccc", SERVICE)),
    "a header that is a list": (
        "the header is no object",
        lambda: (b64(b"[]").encode() + b".bbbb.cccc", SERVICE),
    ),
    "a payload changed": (
        "the signature is wrong",
        lambda: (changed(1, lambda body: body.update(no=8)), SERVICE),
    ),
    "a header changed": (
        "the signature is wrong",
        lambda: (changed(0, lambda head: head.update(typ="x")), SERVICE),
    ),
    "no algorithm": (
        "an algorithm other",
        lambda: (changed(0, lambda head: head.update(alg="none")), SERVICE),
    ),
    "HMAC": ("an algorithm other", lambda: (changed(0, lambda head: head.update(alg="HS256")), SERVICE)),
    "RS256 with a key of P-256": (
        "does not fit",
        lambda: (changed(0, lambda head: head.update(alg="RS256")), SERVICE),
    ),
    "an algorithm that is a list": (
        "an algorithm other",
        lambda: (changed(0, lambda head: head.update(alg=["ES256"])), SERVICE),
    ),
    "something critical": (
        "something critical",
        lambda: ((one := Service(header={"crit": ["b64"]})).blob(), one),
    ),
    "no chain": ("no x5c", lambda: ((one := Service(header={"x5c": None})).blob(), one)),
    "a chain to be fetched": (
        "no x5c",
        lambda: ((one := Service(header={"x5c": None, "x5u": "https://evil.example/"})).blob(), one),
    ),
    "a chain of noise": ("not base64", lambda: ((one := Service(header={"x5c": ["?"]})).blob(), one)),
    "a chain of numbers": ("not base64", lambda: ((one := Service(header={"x5c": [1]})).blob(), one)),
    "no certificate": ("cannot be read", lambda: ((one := Service(header={"x5c": ["AAAA"]})).blob(), one)),
    "another root of the same name": (
        "does not lead to a root",
        lambda: (Service(root=EVIL).blob(), SERVICE),
    ),
    "somebody else with a certificate of the public authority": (
        "not that of mds.fidoalliance.org",
        lambda: ((one := Service(names=("evil.example",))).blob(), one),
    ),
    "nobody with a certificate of the public authority": (
        "not that of mds.fidoalliance.org",
        lambda: ((one := Service(names=())).blob(), one),
    ),
    "a certificate that has run out": (
        "not valid at this time",
        lambda: ((one := Service(leaf={"end": datetime(2026, 1, 1, tzinfo=UTC)})).blob(), one),
    ),
    "a short RSA key": ("does not fit", lambda: (SHORT.blob(), SHORT)),
    "no number": ("without a number", lambda: (SERVICE.blob(no=None), SERVICE)),
    "a number that is a truth": ("without a number", lambda: (SERVICE.blob(no=True), SERVICE)),
    "no next one": ("when the next one comes", lambda: (SERVICE.blob(nextUpdate="soon"), SERVICE)),
    "no entries": ("without a list", lambda: (SERVICE.blob(entries={}), SERVICE)),
    "a model twice": ("two entries", lambda: (SERVICE.blob(entry(), entry()), SERVICE)),
    "a model that is none": ("without a model", lambda: (SERVICE.blob(entry(aaguid="x")), SERVICE)),
    "a model that is a number": ("without a model", lambda: (SERVICE.blob(entry(aaguid=7)), SERVICE)),
    "reports that are none": ("without a model", lambda: (SERVICE.blob(entry(statusReports={})), SERVICE)),
    "a report without a status": (
        "a report without a status",
        lambda: (SERVICE.blob(entry(statusReports=[{}])), SERVICE),
    ),
    "roots that are none": (
        "no list of up to",
        lambda: (SERVICE.blob(entry(metadataStatement={"attestationRootCertificates": "x"})), SERVICE),
    ),
    "a root that is not base64": (
        "not base64",
        lambda: (SERVICE.blob(entry(metadataStatement={"attestationRootCertificates": ["?"]})), SERVICE),
    ),
}  # fmt: skip


@pytest.mark.parametrize("row", ROWS)
def test_blobs_that_are_not_taken(row: str) -> None:
    words, make = ROWS[row]
    blob, service = make()
    with pytest.raises(MetadataError, match=words):
        parse(blob, service)


def test_another_signer_by_policy() -> None:
    service = Service(names=("mds.internal.example",))
    assert parse(service.blob(), service, signer="mds.internal.example").number == 7


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_no_single_changed_byte_gets_through(draw: st.DataObject) -> None:
    blob = bytearray(SERVICE.blob())
    at = draw.draw(st.integers(0, 1 << 20)) % len(blob)
    blob[at] ^= draw.draw(st.integers(1, 255))
    with pytest.raises(MetadataError):
        parse(bytes(blob))


# --- in a room ---


def test_a_broken_model_lets_nobody_in_any_more(world: World) -> None:
    roots = [SERVICE.root.certificate]
    world.door.import_metadata(SERVICE.blob(), roots)
    world.granted()
    world.door.import_metadata(SERVICE.blob(entry(AAGUID, "USER_KEY_REMOTE_COMPROMISE"), no=8), roots)
    with pytest.raises(DeniedError, match="fewer than 2 hardware keys"):
        world.door.live_grant("room:debug", "enter")
    with pytest.raises(DeniedError) as caught:
        world.door.begin_approval("prd-grace", "x" * 16)
    assert caught.value.rule in ("keys", "request")
    with pytest.raises(DeniedError, match="the metadata in force have the number 8, these 7"):
        world.door.import_metadata(SERVICE.blob(), roots)
    world.door.import_metadata(SERVICE.blob(no=9), roots)
    assert world.door.live_grant("room:debug", "enter")
    world.door.verify()


def test_metadata_that_a_policy_requires(place: Any) -> None:
    world = World(place / "room", text=policy_text("\n[metadata]\nrequired = true\n"))
    with pytest.raises(DeniedError, match="is not in the metadata") as caught:
        world.founder("prd-ada", "P-ada")
    assert caught.value.rule == "model-broken"
    other = base64.b64encode(Authority.root("Other").der).decode()
    foreign = entry(metadataStatement={"attestationRootCertificates": [other]})
    world.door.import_metadata(SERVICE.blob(foreign), [SERVICE.root.certificate])
    with pytest.raises(DeniedError, match="none of those in the metadata"):
        world.register("prd-ada")
    world.door.import_metadata(SERVICE.blob(no=8), [SERVICE.root.certificate])
    world.register("prd-ada")
    world.door.close()


def test_the_policy_names_the_root(place: Any) -> None:
    """Then whoever runs the command cannot bring one of their own."""
    text = policy_text(f"\n[metadata]\nroots = ['''{SERVICE.root.pem.strip()}''']\n")
    world = World(place / "room", text=text)
    evil = Service()
    with pytest.raises(UsageError, match="the policy names the roots"):
        world.door.import_metadata(evil.blob(), [evil.root.certificate])
    with pytest.raises(MetadataError, match="does not lead to a root"):
        world.door.import_metadata(evil.blob())
    assert world.door.import_metadata(SERVICE.blob()).number == 7
    world.door.close()


def test_nobody_names_a_root(world: World) -> None:
    with pytest.raises(UsageError, match="neither the policy nor the caller"):
        world.door.import_metadata(SERVICE.blob())


def test_a_revoked_model_is_not_registered(world: World) -> None:
    request = world.sign(world.door.begin_request("prd-ada", "key", {"account": "prd-ada"})).id
    ceremony = world.door.begin_registration("prd-ada", request)
    response = Authenticator().create(ceremony.options)
    world.door.import_metadata(SERVICE.blob(entry(AAGUID, "REVOKED")), [SERVICE.root.certificate])
    with pytest.raises(DeniedError, match="reported REVOKED"):
        world.door.complete(response)


def test_keys_of_p256_only() -> None:
    service = Service(key=ec.generate_private_key(ec.SECP384R1()))
    service.sign = lambda message: b"x" * 64  # type: ignore[method-assign]
    with pytest.raises(MetadataError, match="the signature is wrong"):
        parse(service.blob(), service)
    assert vendor()
