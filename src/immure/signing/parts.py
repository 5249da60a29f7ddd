"""What all issuers of one service have in common, beside the settings."""

from __future__ import annotations

from dataclasses import dataclass, field

from immure.registry.store import Store
from immure.signing.fetches import FetchLog
from immure.signing.issuing import Mint
from immure.signing.key_view import KeyView
from immure.signing.observer import Observer
from immure.signing.state import State
from immure.signing.users import Users
from immure.signing.wholes import Wholes


@dataclass(frozen=True)
class Parts:
    """Parts of a service.

    Attributes:
        mint: makes the tokens.
        registry: of all keys; ``view`` is what it says just now.
        state: what must be remembered between requests.
        observer: is told what goes on.
        users: who may sign in; None if nobody may.
        fetches: who reads the key sets.
        wholes: requests that are known as a whole.
    """

    mint: Mint
    registry: Store
    view: KeyView
    state: State
    observer: Observer
    users: Users | None = None
    fetches: FetchLog = field(default_factory=FetchLog)
    wholes: Wholes = field(default_factory=Wholes)
