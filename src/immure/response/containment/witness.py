"""Genuine tokens to show by that a relying party refuses: one of the burnt key, one of its successor.

A refusal means something only if the same request with a good token is let in. So before the key stops
signing, the signing service gives a client of each relying party a last token; it is kept in the incident's
``work/witness/``, readable by its owner only, and deleted when the relying party was seen to refuse it.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote_plus, urlencode

from immure.custody.secret_file import read_secret_file, wipe
from immure.digest import signed_digest
from immure.files import write_whole
from immure.response.containment.action import Action, Scene
from immure.response.containment.errors import ContainmentError
from immure.response.containment.settings import Party, Witness
from immure.response.events.http import Sender
from immure.response.timeline import JsonValue
from immure.tokens.errors import JsonError, TokenError
from immure.tokens.parse import ParsedToken, parse_token
from immure.tokens.strict import decode_object

_MOST_TOKEN: Final = 16 << 10
#: Seconds that the token endpoint may take: signing does not go on for long because of a witness.
_SECONDS: Final = 3.0
DIRECTORY: Final = "witness"


class TakeWitness(Action):
    """A last token of the key for each relying party that can be asked, so that a refusal can be shown."""

    name = "witness"
    words = "a token of the key is kept, to show that it is refused"

    def targets(self) -> Sequence[str]:
        """Relying parties with a client to ask by."""
        if self.scene.signing_name is None:
            return []
        parties = self.scene.settings.parties.values()
        return [one.name for one in parties if one.witness is not None and one.witness.client]

    def plan(self, target: str) -> str:
        """See :meth:`Action.plan`."""
        state = self.scene.record().state
        if not state.signs:
            return f"nothing: the key is {state.value}, and signs no token"
        return f"get a token as client {_witness(self.scene, target).client}"

    def act(self, target: str) -> JsonValue:
        """See :meth:`Action.act`. A token that is there already is kept: the key may have stopped since."""
        path = witness_path(self.scene, target)
        if path.exists():
            return {"digest": digest(read_token(path))}
        party = self.scene.settings.parties[target]
        token = fetch_token(self.scene, party)
        if parsed(token).header.kid != self.scene.kid:
            raise ContainmentError("the service signs with another key already; there is no witness")
        try:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            write_whole(path, token.encode("ascii"), mode=0o600)
        except OSError as error:
            raise ContainmentError(f"cannot be kept: {error.strerror}", path=str(path)) from error
        return {"digest": digest(token)}


def witness_path(scene: Scene, party: str) -> Path:
    """Where a relying party's witness is kept."""
    return scene.work / DIRECTORY / f"{party}.jwt"


def forget(scene: Scene, party: str) -> None:
    """Delete a witness that is not needed any more."""
    witness_path(scene, party).unlink(missing_ok=True)


def burnt_token(scene: Scene, party: Party) -> str | None:
    """The token of the burnt key that a relying party is asked with; None if there is none.

    Raises:
        ContainmentError: the file cannot be read, or holds a token of another key.
    """
    path = witness_path(scene, party.name)
    if not path.exists():
        if party.witness is None or party.witness.file is None:
            return None
        path = party.witness.file
    token = read_token(path)
    if parsed(token).header.kid != scene.kid:
        raise ContainmentError("is a token of another key", path=str(path))
    return token


def control_token(scene: Scene, party: Party) -> str | None:
    """A token that must be let in, of the key that signs now; None if there is none.

    Raises:
        ContainmentError, SendError: there should be one, and it cannot be had.
    """
    if party.witness is None:
        return None
    if party.witness.control_file is not None:
        return read_token(party.witness.control_file)
    if not party.witness.client:
        return None
    token = fetch_token(scene, party)
    if parsed(token).header.kid == scene.kid:
        raise ContainmentError("the service still signs with the key")
    return token


def fetch_token(scene: Scene, party: Party) -> str:
    """A token of the signing service for a relying party's client (RFC 6749, section 4.4).

    Raises:
        ContainmentError, SendError: there is none.
    """
    witness = _witness(scene, party.name)
    form = {"grant_type": "client_credentials"}
    form |= {"resource": party.audience} if party.audience else {}
    form |= {"scope": witness.scope} if witness.scope else {}
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Accept": "application/json",
        "Authorization": _basic(witness),
    }
    url = f"{scene.issuer}/token"
    sender = Sender.to(url, private_hosts=True, seconds=_SECONDS)
    answer = sender.send(url, urlencode(form).encode("ascii"), headers)
    try:
        members: dict[str, Any] = decode_object(answer.body)
    except JsonError:
        members = {}
    token = members.get("access_token")
    if answer.status != 200 or not isinstance(token, str) or len(token) > _MOST_TOKEN:
        code = members.get("error")
        words = f": {code[:40]}" if isinstance(code, str) and code.isprintable() else ""
        raise ContainmentError(f"the signing service gives no token (HTTP status {answer.status}{words})")
    return token


def _basic(witness: Witness) -> str:
    """RFC 6749, section 2.3.1: both are form-encoded first."""
    data = read_secret_file(str(witness.secret_file))
    try:
        secret = data.decode("utf-8").strip()
    except UnicodeDecodeError:
        raise ContainmentError("is not a text in UTF-8", path=str(witness.secret_file)) from None
    finally:
        wipe(data)
    both = f"{quote_plus(witness.client)}:{quote_plus(secret)}"
    return f"Basic {base64.b64encode(both.encode()).decode()}"


def _witness(scene: Scene, party: str) -> Witness:
    witness = scene.settings.parties[party].witness
    if witness is None:
        raise ContainmentError("the relying party has no witness")
    return witness


def read_token(path: Path) -> str:
    """A token in a file; raises ContainmentError."""
    try:
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as stream:
            text = stream.read(_MOST_TOKEN + 1).strip().decode("ascii")
    except OSError as error:
        raise ContainmentError(f"cannot be read: {error.strerror}", path=str(path)) from error
    except UnicodeDecodeError:
        raise ContainmentError("is no token", path=str(path)) from None
    return text


def parsed(token: str) -> ParsedToken:
    """A token taken apart; nothing in it is believed. Raises ContainmentError."""
    try:
        return parse_token(token)
    except TokenError as error:
        raise ContainmentError(f"is no token ({error.code})") from None


def digest(token: str) -> str:
    """The name of a token in logs."""
    return signed_digest(token.rpartition(".")[0].encode("utf-8", "surrogatepass")).hex()


def expires(token: str) -> float:
    """When a token runs out, seconds since 1970; infinity if it does not say."""
    value = parsed(token).claims.get("exp")
    return float(value) if isinstance(value, (int, float)) else float("inf")
