"""What the matrix needs of a key, and how that is kept: a registry of ten thousand keys takes some seconds to
be read, as each is verified to be one, and should not be read again by every console that starts.

The file is the console's own, beside its other state, and can be thrown away. It is believed if it is of the
registry as that is now (:meth:`immure.registry.store.Store.stamp`).
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from immure.errors import UsageError
from immure.files import write_whole
from immure.registry.record import KeyRecord
from immure.registry.state import KeyState
from immure.toml_file import read_bounded

SCHEMA: Final = "https://immure.example/schemas/console-keys-1.json"
_MOST_BYTES: Final = 256 << 20


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """A key.

    Attributes:
        label: its type and size.
        classes: audience classes that it may sign for.
        since: when it came into its state.
        activated: when it became active for the first time.
        not_after: when nothing is accepted any more that it has signed.
    """

    thumbprint: str
    kid: str
    label: str
    issuer: str | None
    classes: frozenset[str]
    state: KeyState
    since: datetime
    activated: datetime | None
    not_after: datetime | None

    @classmethod
    def of(cls, record: KeyRecord) -> KeyFacts:
        """The facts of a record."""
        scope = record.scope
        return cls(
            record.thumbprint,
            record.kid,
            record.key.label,
            record.issuer,
            frozenset() if scope is None else scope.audience_classes,
            record.state,
            record.history[-1].at,
            record.activated_at,
            None if scope is None else scope.not_after,
        )

    def to_json(self) -> list[Any]:
        """As the file has it."""
        return [
            self.thumbprint, self.kid, self.label, self.issuer, sorted(self.classes), self.state.value,
            _seconds(self.since), _seconds(self.activated), _seconds(self.not_after),
        ]  # fmt: skip

    @classmethod
    def from_json(cls, value: Any) -> KeyFacts:
        """From the file; raises ValueError or TypeError if it is something else."""
        thumbprint, kid, label, issuer, classes, state, since, activated, not_after = value
        begun = _moment(since)
        if begun is None or not all(isinstance(one, str) for one in (thumbprint, kid, label, *classes)):
            raise ValueError("is not a key")
        return cls(
            thumbprint, kid, label, None if issuer is None else str(issuer), frozenset(classes),
            KeyState(state), begun, _moment(activated), _moment(not_after),
        )  # fmt: skip


def keep(path: Path, place: str, stamp: Sequence[Any], keys: Sequence[KeyFacts]) -> None:
    """Keep the keys of a registry as it is at ``stamp``; what cannot be written is made anew next time."""
    content = {
        "schema": SCHEMA,
        "place": place,
        "stamp": list(stamp),
        "keys": [one.to_json() for one in keys],
    }
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_whole(path, json.dumps(content).encode(), mode=0o600)


def kept(path: Path, place: str) -> tuple[tuple[Any, ...], tuple[KeyFacts, ...]] | None:
    """Stamp and keys of a registry as they were kept; None if they were not, or the file is no such one."""
    if not os.path.exists(path):
        return None
    try:
        _, data = read_bounded(path, _MOST_BYTES)
        content = json.loads(data)
        if content["schema"] != SCHEMA or content["place"] != place:
            return None
        stamp = tuple(content["stamp"])
        if not stamp:
            return None
        return stamp, tuple(KeyFacts.from_json(one) for one in content["keys"])
    except (UsageError, ValueError, TypeError, KeyError, OverflowError, OSError, RecursionError):
        return None  # it is only there to save time: the registry is read


def _seconds(at: datetime | None) -> float | None:
    return None if at is None else at.timestamp()


def _moment(at: Any) -> datetime | None:
    return None if at is None else datetime.fromtimestamp(float(at), UTC)
