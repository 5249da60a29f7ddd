"""``pkcs11:`` private keys on a token (HSM, smart card): made there, used there, never given out.

``pkcs11:token=issuer?module-path=/usr/lib/…/p11-kit-client.so&pin-source=/etc/issuer/pin`` names the token
(RFC 7512); keys are found on it by their label, which is the ``kid``. What a key may sign the token does not
know: that is checked in this process only.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from immure.custody.algorithms import ALGORITHMS, Algorithm, is_signature
from immure.custody.pkcs11_public import attribute, read_public
from immure.custody.pkcs11_signer import _der_signature, _operation
from immure.custody.pkcs11_uri import Pkcs11Uri, parse_pkcs11_uri
from immure.custody.signer import choose_algorithm, shown
from immure.errors import SignerError
from immure.keymaterial.key import PublicKey
from immure.signing.keys import ThreadedKeys
from immure.signing.pkcs11_sessions import Held, LostError, Sessions
from immure.signing.rotation import Plan

if TYPE_CHECKING:
    from pkcs11 import Session

_CURVES: Final = {"ES256": "secp256r1", "ES384": "secp384r1", "EdDSA": "1.3.101.112"}
_WIDTHS: Final = {"ES256": 64, "ES384": 96}
#: What one connection to a token is good for: more threads would only wait.
_MOST_THREADS: Final = 8
#: Tokens that are libraries: they compute with the private key in the process that has loaded them.
SOFTWARE: Final = ("softhsm", "softokn", "kryoptic", "opencryptoki_sw")


class Pkcs11Keys(ThreadedKeys):
    """Keys on one token; see :mod:`immure.signing.pkcs11_sessions` for lost sessions and wrong PINs.

    Args:
        uri: of the token, without a key.

    Raises:
        SignerError: the URI is none, names a key, or no PIN source.
    """

    def __init__(self, uri: str) -> None:
        super().__init__("pkcs11", min(_MOST_THREADS, 2 * (os.cpu_count() or 1)))
        self._path = shown(uri)
        named = parse_token_uri(uri)
        self.warning = _warning(named)
        self._sessions = Sessions(named, self._path)
        self._public: dict[str, PublicKey] = {}

    async def start(self) -> None:
        """See :meth:`TokenKeys.start`: a token that cannot be reached is known before anybody asks."""
        await asyncio.to_thread(self._sessions.run, lambda _: None)

    # --- making and destroying ---

    def generate(self, kid: str, plan: Plan) -> PublicKey:
        """See :meth:`KeyMaker.generate`."""
        if plan.algorithm not in ALGORITHMS:
            raise SignerError(f"unknown algorithm {plan.algorithm!a}", path=self._path)

        def work(held: Held) -> PublicKey:
            key = self._find(held, kid)
            if key is None:
                _check_kept(_generate(held.session, kid, plan.algorithm, plan.bits), self._path)
                key = self._find(held, kid)
            if key is None:
                raise SignerError(f"the token lost the key {kid!a} that it made", path=self._path)
            return read_public(held.session, key, self._path)

        public = self._sessions.run(work)
        choose_algorithm(public, plan.algorithm, f"{self._path} {kid}")
        self._public[kid] = public
        return public

    def destroy(self, kid: str) -> None:
        """See :meth:`KeyMaker.destroy`; the public half goes last, so that a second call finds the rest."""
        from pkcs11 import Attribute, ObjectClass

        def work(held: Held) -> None:
            for kind in (ObjectClass.PRIVATE_KEY, ObjectClass.PUBLIC_KEY):
                for thing in list(held.session.get_objects({Attribute.CLASS: kind, Attribute.LABEL: kid})):
                    thing.destroy()
            held.keys.pop(kid, None)

        self._sessions.run(work)
        self._public.pop(kid, None)

    # --- signing ---

    def _sign(self, kid: str, wanted: str, message: bytes) -> bytes:
        """A signature as JWS has it, held against the public half before it leaves."""

        def work(held: Held) -> tuple[PublicKey, Algorithm, bytes]:
            key = self._find(held, kid)
            if key is None:
                raise LostError(f"there is no private key {kid[:80]!a} on the token", path=self._path)
            public = self._public.get(kid) or read_public(held.session, key, self._path)
            algorithm = choose_algorithm(public, wanted, self._path)
            mechanism, parameters, data = _operation(algorithm, message)
            made = bytes(key.sign(data, mechanism=mechanism, mechanism_param=parameters))
            return public, algorithm, made

        public, algorithm, made = self._sessions.run(work)
        self._public[kid] = public
        if not _holds(public, algorithm, message, made):
            raise SignerError("what the token signed does not hold against its public half", path=self._path)
        return made

    def _find(self, held: Held, kid: str) -> Any:
        """The private key of that label, None if there is none; raises SignerError if there are several."""
        from pkcs11 import Attribute, ObjectClass

        key = held.keys.get(kid)
        if key is None:
            wanted = {Attribute.CLASS: ObjectClass.PRIVATE_KEY, Attribute.LABEL: kid}
            found = list(held.session.get_objects(wanted))
            if len(found) > 1:
                raise SignerError(f"{len(found)} private keys have the label {kid[:80]!a}", path=self._path)
            if not found:
                return None
            key = held.keys[kid] = found[0]
        return key

    async def aclose(self) -> None:
        """See :meth:`TokenKeys.aclose`."""
        await super().aclose()
        self._sessions.close()


def parse_token_uri(uri: str) -> Pkcs11Uri:
    """What a PKCS#11 URI says of a token and its library.

    >>> parse_token_uri("pkcs11:token=issuer?module-name=softhsm2&pin-source=/p").token
    'issuer'

    Raises:
        SignerError: as :func:`~immure.custody.pkcs11_uri.parse_pkcs11_uri`; or it names a key.
    """
    head, mark, query = uri.partition("?")
    path = head.partition(":")[2]
    names = [part.partition("=")[0] for part in path.split(";")]
    if not path or {"object", "id", "type"} & set(names):
        raise SignerError(
            "names a token, and no key: keys have the names that rotation gives", path=shown(uri)
        )
    parsed = replace(parse_pkcs11_uri(f"{head};object=kid{mark}{query}"), object=None)
    if parsed.algorithm is not None:
        raise SignerError("alg is not for a token: each key has its own", path=shown(uri))
    if parsed.pin_source is None:
        raise SignerError("needs pin-source=FILE: a service has nobody to ask for a PIN", path=shown(uri))
    return parsed


def _generate(session: Session, kid: str, algorithm: str, bits: int) -> Any:
    """A new pair on the token; its private half."""
    from pkcs11 import Attribute, KeyType, Mechanism, MechanismFlag
    from pkcs11.util.ec import encode_named_curve_parameters

    private = {Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False, Attribute.PRIVATE: True}
    common: dict[str, Any] = {
        "id": os.urandom(16),
        "label": kid,
        "store": True,
        "capabilities": MechanismFlag.SIGN | MechanismFlag.VERIFY,
        "private_template": private,
    }
    if algorithm in ("RS256", "PS256"):
        return session.generate_keypair(KeyType.RSA, bits, **common)[1]
    kind = KeyType.EC
    if algorithm == "EdDSA":
        kind, common["mechanism"] = KeyType.EC_EDWARDS, Mechanism.EC_EDWARDS_KEY_PAIR_GEN
    curve = {Attribute.EC_PARAMS: encode_named_curve_parameters(_CURVES[algorithm])}
    group = session.create_domain_parameters(kind, curve, local=True)
    return group.generate_keypair(**common)[1]


def _check_kept(key: Any, path: str) -> None:
    """A token that made a key which can be taken out again is not one for keys that count."""
    from pkcs11 import Attribute

    if attribute(key, Attribute.EXTRACTABLE) is not False or attribute(key, Attribute.SENSITIVE) is not True:
        key.destroy()
        raise SignerError("the token made a key that it would give out; it was destroyed", path=path)


def _holds(public: PublicKey, algorithm: Algorithm, message: bytes, made: bytes) -> bool:
    if algorithm in _WIDTHS:
        if len(made) != _WIDTHS[algorithm]:
            return False
        made = _der_signature(made)
    return is_signature(public.numbers, algorithm, message, made)


def _warning(uri: Pkcs11Uri) -> str | None:
    """What a user must know of a token that is software: see ``docs/reference/residues.md``."""
    named = uri.module_path or uri.module_name or ""
    library = os.path.basename(os.path.realpath(named) if uri.module_path else named).lower()
    if not any(one in library for one in SOFTWARE):
        return None
    return (
        "UNSAFE custody: the token is a library in this process, so its private keys pass through the "
        "service's memory: for trials only; reach it through p11-kit server"
    )
