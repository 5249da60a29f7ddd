"""Ceremonies: a document that waits for a hardware key, from its challenge to the response.

They are not logged: nothing has happened yet. A challenge is forgotten when it has been used, when its five
minutes are over, and after a few responses that did not hold.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from immure.access.document import PATIENCE, challenge
from immure.access.errors import CeremonyError
from immure.access.records import HardwareKey
from immure.access.room import Room, deny
from immure.access.texts import encode
from immure.access.webauthn.cose import ALGORITHMS
from immure.access.words import words
from immure.auditlog.canonical import canonical

#: Ceremonies that can be under way at once; of one account.
MOST_OPEN: Final = 1000
MOST_OF_ONE: Final = 32
#: Acts for which a ceremony is begun for whoever asks: they are counted apart, so that nobody can keep others
#: from approving, revoking or breaking the glass by beginning many of these.
FOR_ANYBODY: Final = ("sign-in", "register")
#: Responses that do not hold, until a ceremony is over.
MOST_FAILURES: Final = 5


@dataclass(frozen=True, slots=True)
class Ceremony:
    """A document to be signed.

    Attributes:
        challenge: its SHA-256, which the hardware key signs.
        document: what is signed.
        words: the same for people: show it to them before they touch their key.
        options: for ``navigator.credentials.get`` or ``create`` (as ``parseRequestOptionsFromJSON`` and
            ``parseCreationOptionsFromJSON`` take them), or for a client of CTAP.
        expires: until when.
    """

    challenge: bytes
    document: Mapping[str, Any]
    words: tuple[str, ...]
    options: Mapping[str, Any]
    expires: datetime

    @property
    def act(self) -> str:
        """What it is for."""
        return str(self.document["act"])


def begin(room: Room, document: Mapping[str, Any], keys: Sequence[HardwareKey], at: datetime) -> Ceremony:
    """Begin a ceremony with which one of ``keys`` signs ``document``, and remember it."""
    digest = challenge(document)
    allowed = [{"type": "public-key", "id": key.id} for key in keys]
    options = {
        "challenge": encode(digest),
        "timeout": int(PATIENCE.total_seconds() * 1000),
        "rpId": room.policy.party.id,
        "allowCredentials": allowed,
        "userVerification": "required",
        "hints": ["security-key"],
    }
    return _remember(room, document, options, at)


def begin_registration(room: Room, document: Mapping[str, Any], handle: str, at: datetime) -> Ceremony:
    """Begin a ceremony that registers a key. No authenticator that has a credential of anybody in the room
    will make another one."""
    policy, account = room.policy, str(document["account"])
    known = [{"type": "public-key", "id": key.id} for key in room.rows.find(HardwareKey)]
    options = {
        "rp": {"id": policy.party.id, "name": policy.party.name},
        "user": {"id": handle, "name": account, "displayName": account},
        "challenge": encode(challenge(document)),
        "pubKeyCredParams": [{"type": "public-key", "alg": number} for number in ALGORITHMS],
        "timeout": int(PATIENCE.total_seconds() * 1000),
        "excludeCredentials": known,
        "authenticatorSelection": {
            "authenticatorAttachment": "cross-platform",
            "residentKey": "discouraged",
            "requireResidentKey": False,
            "userVerification": "required",
        },
        "hints": ["security-key"],
        "attestation": "enterprise" if any(model.unique for model in policy.models) else "direct",
    }
    return _remember(room, document, options, at)


def _remember(room: Room, document: Mapping[str, Any], options: Mapping[str, Any], at: datetime) -> Ceremony:
    database, name = room.rows.database, encode(challenge(document))
    expires = at + PATIENCE
    database.execute("DELETE FROM ceremonies WHERE expires < ?", (int(at.timestamp()),))
    query = (
        "SELECT count(*), count(*) FILTER (WHERE json_extract(document, '$.account') = ?) FROM ceremonies "
        "WHERE (json_extract(document, '$.act') IN (?, ?)) = ?"
    )
    apart = document["act"] in FOR_ANYBODY
    count, own = database.execute(query, (document["account"], *FOR_ANYBODY, apart)).fetchone()
    if count >= MOST_OPEN or own >= MOST_OF_ONE:
        deny("busy", "too many ceremonies have begun and not ended; wait five minutes")
    row = (name, canonical(document).decode(), json.dumps(options), int(expires.timestamp()))
    database.execute("INSERT INTO ceremonies VALUES (?, ?, ?, ?, 0)", row)
    return Ceremony(challenge(document), document, words(document), options, expires)


def find(room: Room, digest: bytes, at: datetime) -> Ceremony:
    """The ceremony that a challenge stands for.

    Raises:
        CeremonyError: there is none, or its time is over.
    """
    query = "SELECT document, credentials, expires FROM ceremonies WHERE challenge = ?"
    row = room.rows.database.execute(query, (encode(digest),)).fetchone()
    if row is None:
        raise CeremonyError(
            "no ceremony waits for this response: it was used, has run out, or was never begun",
            rule="challenge",
        )
    document, options, expires = json.loads(row[0]), json.loads(row[1]), datetime.fromtimestamp(row[2], UTC)
    if at > expires:
        raise CeremonyError("the ceremony was begun too long ago", rule="stale")
    return Ceremony(digest, document, words(document), options, expires)


def forget(room: Room, digest: bytes) -> None:
    """The ceremony is over."""
    room.rows.database.execute("DELETE FROM ceremonies WHERE challenge = ?", (encode(digest),))


def failed(room: Room, digest: bytes) -> None:
    """A response to it did not hold."""
    database, name = room.rows.database, encode(digest)
    database.execute("UPDATE ceremonies SET failures = failures + 1 WHERE challenge = ?", (name,))
    query = "DELETE FROM ceremonies WHERE challenge = ? AND failures >= ?"
    database.execute(query, (name, MOST_FAILURES))
