"""``keyholder:`` a separate small process that holds private keys, and signs only what each key may sign.

    with KeyHolder.create("/var/lib/issuer/keys.sealed", [Path("/etc/issuer/pin")]) as holder:
        holder.generate("k1", Rules("ES256", scope, {"https://api.example": frozenset({"consumer"})}))
        token = holder.sign_token("k1", claims)

How it is protected, and against what not: ``docs/explanation/key-holder.md``. Nothing is loaded before it
is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from immure.custody.keyholder.aio import AsyncKeyHolder
    from immure.custody.keyholder.asking import KeyInfo
    from immure.custody.keyholder.client import KeyHolder
    from immure.custody.keyholder.held_key import Rules

_WHERE = {"AsyncKeyHolder": "aio", "KeyHolder": "client", "KeyInfo": "asking", "Rules": "held_key"}

__all__ = ["AsyncKeyHolder", "KeyHolder", "KeyInfo", "Rules"]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'immure.custody.keyholder' has no attribute {name!r}")
    return getattr(import_module(f"immure.custody.keyholder.{_WHERE[name]}"), name)
