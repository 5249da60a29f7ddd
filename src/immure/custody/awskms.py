"""AWS KMS through boto3: keys that are made and used there, and never leave it.

What this process has is credentials that may use the keys. Whoever takes them may sign for as long as they
hold, and has no key.

Nothing that a server or the library says is passed on in errors, but the codes of errors that KMS documents.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from immure.custody.algorithms import Algorithm
from immure.custody.awskms_uri import KmsUri
from immure.custody.public_half import from_spki
from immure.errors import SignerError
from immure.keymaterial.key import PublicKey

#: Seconds to connect, and to wait for an answer; how often in all, as far as another time may help.
_CONNECT: Final = 4.0
_READ: Final = 8.0
_ATTEMPTS: Final = 2
#: Connections that are kept.
_POOL: Final = 16
#: Bytes that KMS takes of a message that it hashes itself.
_MOST_RAW: Final = 4096
#: Days until a key that is destroyed is gone: the fewest that KMS allows. It signs nothing from the first on.
WAITING_DAYS: Final = 7
#: Names of algorithms there (SigningAlgorithmSpec), and what their digests are made with.
_SIGNING: Final[dict[str, tuple[str, str | None]]] = {
    "RS256": ("RSASSA_PKCS1_V1_5_SHA_256", "sha256"),
    "PS256": ("RSASSA_PSS_SHA_256", "sha256"),
    "ES256": ("ECDSA_SHA_256", "sha256"),
    "ES384": ("ECDSA_SHA_384", "sha384"),
    "EdDSA": ("ED25519_SHA_512", None),
}
_SPECS: Final = {"ES256": "ECC_NIST_P256", "ES384": "ECC_NIST_P384", "EdDSA": "ECC_NIST_EDWARDS25519"}
_CREDENTIALS: Final = "the credentials are wrong, or have run out"
_SLOW: Final = "throttled: too many requests to KMS at once"
_BUSY: Final = "KMS cannot do it just now"
_STATE: Final = "the key is not in use: disabled, or waiting to be deleted"
#: Codes of errors (KMS API reference), and classes of botocore.
_WORDS: Final = {
    "AccessDeniedException": "access denied: these credentials may not do this with this key",
    "AccessDenied": "access denied: these credentials may not do this with this key",
    "NotFoundException": "there is no such key",
    "DisabledException": _STATE,
    "KMSInvalidStateException": _STATE,
    "KeyUnavailableException": _BUSY,
    "DependencyTimeoutException": _BUSY,
    "KMSInternalException": _BUSY,
    "InternalFailure": _BUSY,
    "ServiceUnavailable": _BUSY,
    "ServiceUnavailableException": _BUSY,
    "ThrottlingException": _SLOW,
    "Throttling": _SLOW,
    "RequestLimitExceeded": _SLOW,
    "LimitExceededException": "the account has as many keys or aliases as it may",
    "InvalidKeyUsageException": "the key is not for signing, or not by this algorithm",
    "UnsupportedOperationException": "KMS does not do this with this kind of key",
    "ValidationException": "KMS does not take the request: not this key, or not this algorithm",
    "UnrecognizedClientException": _CREDENTIALS,
    "InvalidClientTokenId": _CREDENTIALS,
    "InvalidSignatureException": _CREDENTIALS,
    "SignatureDoesNotMatch": _CREDENTIALS,
    "IncompleteSignature": _CREDENTIALS,
    "ExpiredTokenException": _CREDENTIALS,
    "ExpiredToken": _CREDENTIALS,
    "MissingAuthenticationToken": _CREDENTIALS,
    "NoCredentialsError": "there are no credentials where the tools of AWS look for them",
    "PartialCredentialsError": "there is only a part of the credentials",
    "CredentialRetrievalError": "the credentials cannot be got",
    "NoRegionError": "no region is given; add region=NAME",
    "ProfileNotFound": "there is no such profile",
    "EndpointConnectionError": "KMS cannot be reached",
    "ConnectionClosedError": "KMS ended the connection",
    "ConnectTimeoutError": f"KMS cannot be reached within {_CONNECT:g} s",
    "ReadTimeoutError": f"KMS did not answer within {_READ:g} s",
    "SSLError": "TLS failed: the certificate of the server does not hold",
}


@contextmanager
def in_words(path: str) -> Iterator[None]:
    """Let errors of boto3, and answers that are none, become SignerErrors that name ``path``."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        raise SignerError(_words(_code(error)), path=path) from None
    except BotoCoreError as error:
        name = type(error).__name__
        raise SignerError(_WORDS.get(name, f"the library of AWS says {name}"), path=path) from None
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        # what the library makes of an answer that is not JSON, or JSON of another form
        raise SignerError("what KMS answered cannot be understood", path=path) from None


def _code(error: Any) -> str:
    found = error.response.get("Error") if isinstance(error.response, dict) else None
    code = found.get("Code") if isinstance(found, dict) else None
    return code if isinstance(code, str) and code.isalnum() and len(code) <= 60 else ""


def _words(code: str) -> str:
    return _WORDS.get(code) or f"KMS refuses it ({code or 'without a code that can be understood'})"


class Kms:
    """Keys of one account and region; for any number of threads.

    Args:
        uri: region, profile, endpoint.
        path: what errors name.
    """

    def __init__(self, uri: KmsUri, path: str) -> None:
        self._uri, self._path = uri, path
        self._client: Any = None
        self._lock = threading.Lock()

    def open(self) -> None:
        """Find credentials and region; raises SignerError. KMS is not asked yet."""
        with self._lock:
            if self._client is None:
                self._client = self._connected()

    def _connected(self) -> Any:
        try:
            import boto3
            from botocore.config import Config
        except ImportError as error:
            raise SignerError(
                "awskms: keys need the Python package boto3, which is not installed: "
                "pip install 'immure[awskms]'"
            ) from error
        config = Config(
            connect_timeout=_CONNECT,
            read_timeout=_READ,
            max_pool_connections=_POOL,
            retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
        )
        with in_words(self._path):
            session = boto3.session.Session(profile_name=self._uri.profile, region_name=self._uri.region)
            if session.get_credentials() is None:
                raise SignerError(_WORDS["NoCredentialsError"], path=self._path)
            return session.client("kms", endpoint_url=self._uri.endpoint, config=config)

    def _ask(self, operation: str, **asked: Any) -> dict[str, Any]:
        self.open()
        with in_words(self._path):
            answer = getattr(self._client, operation)(**asked)
            if not isinstance(answer, dict):
                raise TypeError
            return answer

    def _found(self, operation: str, **asked: Any) -> dict[str, Any] | None:
        """As :meth:`_ask`; None if there is no such key."""
        from botocore.exceptions import ClientError

        self.open()
        with in_words(self._path):
            try:
                answer: dict[str, Any] = getattr(self._client, operation)(**asked)
            except ClientError as error:
                if _code(error) != "NotFoundException":
                    raise
                return None
            return answer

    def public(self, key: str) -> PublicKey | None:
        """The public half of a key for signing; None if there is no such key.

        Raises:
            SignerError: it is for something else, is out of use, or KMS cannot be asked.
        """
        answer = self._found("get_public_key", KeyId=key)
        if answer is None:
            return None
        with in_words(self._path):
            if answer["KeyUsage"] != "SIGN_VERIFY":
                raise SignerError("the key is not for signing", path=self._path)
            return from_spki(bytes(answer["PublicKey"]), self._path)

    def sign(self, key: str, algorithm: Algorithm, message: bytes) -> bytes:
        """A signature, as :mod:`immure.custody.algorithms` says how it is written; raises SignerError."""
        name, digest = _SIGNING[algorithm]
        if digest is not None:
            message, kind = hashlib.new(digest, message).digest(), "DIGEST"
        else:
            kind = "RAW"
            if len(message) > _MOST_RAW:
                raise SignerError(
                    f"KMS signs at most {_MOST_RAW} bytes by EdDSA, not {len(message)}", path=self._path
                )
        answer = self._ask("sign", KeyId=key, Message=message, MessageType=kind, SigningAlgorithm=name)
        with in_words(self._path):
            return bytes(answer["Signature"])

    def make(self, alias: str, algorithm: Algorithm, bits: int, words: str) -> None:
        """Make a key, and give it an alias. If somebody else has it by then, that key stays and ours goes.

        Raises:
            SignerError: it cannot be made.
        """
        from botocore.exceptions import ClientError

        spec = _SPECS.get(algorithm, f"RSA_{bits}")
        tags = [{"TagKey": "made-by", "TagValue": "immure"}]
        made = self._ask("create_key", KeyUsage="SIGN_VERIFY", KeySpec=spec, Description=words, Tags=tags)
        with in_words(self._path):
            key = str(made["KeyMetadata"]["KeyId"])
            try:
                self._client.create_alias(AliasName=alias, TargetKeyId=key)
            except ClientError as error:
                self._client.schedule_key_deletion(KeyId=key, PendingWindowInDays=WAITING_DAYS)
                if _code(error) != "AlreadyExistsException":
                    raise

    def destroy(self, alias: str) -> None:
        """Have a key deleted in :data:`WAITING_DAYS` days, and its alias at once. From now on it signs
        nothing; until then somebody with the right to can bring it back.

        Raises:
            SignerError: it cannot be done.
        """
        from botocore.exceptions import ClientError

        found = self._found("describe_key", KeyId=alias)
        if found is None:
            return
        with in_words(self._path):
            key = found["KeyMetadata"]
            if key["KeyState"] != "PendingDeletion":
                self._client.schedule_key_deletion(KeyId=str(key["KeyId"]), PendingWindowInDays=WAITING_DAYS)
            try:
                self._client.delete_alias(AliasName=alias)
            except ClientError as error:
                if _code(error) != "NotFoundException":  # another process was quicker
                    raise
