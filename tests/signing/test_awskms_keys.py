"""Keys of a service in AWS KMS: moto's server."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.custody import kms_server
from tests.custody.kms_server import SECRET as AWS_SECRET
from tests.custody.kms_server import Kms

from immure.errors import SignerError
from immure.signing.awskms_keys import AwsKmsKeys
from immure.signing.keys import KeyUse
from immure.signing.service import Service, open_keys
from signing.house import SETTINGS, House
from signing.remote import CLAIMS, is_refused, is_served, opened, plan, sign


@pytest.fixture(scope="module", autouse=True)
def credentials(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        kms_server.give_credentials(patch, tmp_path_factory.mktemp("aws"))
        patch.setattr("botocore.endpoint.time.sleep", lambda _: None)
        yield


@pytest.fixture(scope="module")
def kms(credentials: None) -> Iterator[Kms]:
    with kms_server.serving() as made:
        yield made


@pytest.fixture(scope="module")
def keys(kms: Kms) -> Iterator[AwsKmsKeys]:
    made = open_keys(kms.uri("alias/login-"))
    assert isinstance(made, AwsKmsKeys)
    asyncio.run(made.start())
    yield made
    asyncio.run(made.aclose())


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "ES384"])
def test_made_used_and_destroyed(kms: Kms, keys: AwsKmsKeys, algorithm: str) -> None:
    kid = f"k-{algorithm.lower()}"
    public = keys.generate(kid, plan(algorithm))
    assert keys.generate(kid, plan(algorithm)).thumbprint == public.thumbprint
    assert opened(sign(keys, kid, algorithm), public, algorithm) == CLAIMS
    assert keys.use(kid) == KeyUse(1)
    described = kms.client.describe_key(KeyId=f"alias/login-{kid}")["KeyMetadata"]
    assert (described["Origin"], described["KeyUsage"]) == ("AWS_KMS", "SIGN_VERIFY")
    keys.destroy(kid)
    keys.destroy(kid)
    with pytest.raises(SignerError, match="there is no key"):
        sign(keys, kid, algorithm)
    state = kms.client.describe_key(KeyId=described["KeyId"])["KeyMetadata"]["KeyState"]
    assert state == "PendingDeletion"


def test_another_key_in_its_place(kms: Kms, keys: AwsKmsKeys) -> None:
    """Somebody lets the alias name another key: what that signs is not given out."""
    keys.generate("swapped", plan("ES256"))
    kms.client.update_alias(AliasName="alias/login-swapped", TargetKeyId=kms.make("ECC_NIST_P256"))
    with pytest.raises(SignerError, match="does not hold against the public half"):
        sign(keys, "swapped", "ES256")
    assert keys.use("swapped") == KeyUse(0)


def test_what_is_asked_wrongly(keys: AwsKmsKeys) -> None:
    keys.generate("ec", plan("ES256"))
    for algorithm, words in (("RS256", "not by 'RS256'"), ("none", "unknown algorithm|not by 'none'")):
        with pytest.raises(SignerError, match=words):
            keys.generate("ec", plan(algorithm))
        with pytest.raises(SignerError, match=words):
            sign(keys, "ec", algorithm)
    with pytest.raises(SignerError, match="cannot be a part of an alias"):
        keys.generate("a/../b", plan("ES256"))


@pytest.mark.parametrize(
    "uri",
    [
        "awskms:1234abcd-12ab-34cd-56ef-1234567890ab",
        "awskms:alias/a-?alg=RS256",
        "awskms:arn:aws:kms:us-east-1:123456789012:alias/a",
    ],
)
def test_uris_that_name_no_keys_of_a_service(uri: str) -> None:
    with pytest.raises(SignerError, match=r"awskms:alias/PREFIX"):
        open_keys(uri)


def test_a_whole_service(kms: Kms, tmp_path: Path, run: Callable[..., Any]) -> None:
    text = SETTINGS.replace("file+unsafe:private", kms.uri("alias/whole-")).replace("EdDSA", "RS256")
    house = House(tmp_path, text)

    async def work(client: Any, service: Service) -> None:
        await is_served(client, service, "RS256")
        assert service.warning is None
        with kms_server.scripted() as other:
            other.refuse("AccessDeniedException", words=f"with {AWS_SECRET}")
            _send_to(service, other.endpoint)
            for _ in range(2):
                await is_refused(client)
        _send_to(service, "http://127.0.0.1:9")  # nobody is there
        await is_refused(client)
        _send_to(service, kms.endpoint)
        await is_served(client, service, "RS256")

    journal = io.StringIO()
    run(house, work, stream=journal)
    assert "access denied" in journal.getvalue()
    assert "KMS cannot be reached" in journal.getvalue()
    assert AWS_SECRET not in journal.getvalue()


def _send_to(service: Service, endpoint: str) -> None:
    """Let the library of AWS ask another server from now on."""
    client = service.keys._remote._kms._client  # type: ignore[attr-defined]
    client._endpoint.host = endpoint
    client._client_config.__dict__["endpoint"] = endpoint
    client.meta._endpoint_url = endpoint
    client._ruleset_resolver = None
