"""A new kit in a directory: keys of every kind that the catalogue asks for, and what the relying party needs.

    DIR/kit.toml          the kit
    DIR/keys/*.pem        private keys, for their owner's eyes only
    DIR/jwks.json         all published keys in one set, as the incident had it
    DIR/jwks/NAME.json    those of one scope
    DIR/attacker.json     the attacker's keys
    DIR/policy.toml       a policy for Immure's own validator

Nothing but tests may ever depend on these keys.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from immure import clock
from immure.files import write_whole
from immure.probe.errors import KitError
from immure.probe.key_set import attacker_set, scope_set, shared_set
from immure.probe.kit import Kit
from immure.probe.kit_file import read_kit
from immure.probe.kit_text import kit_text, policy_text

#: Algorithms of new kits.
NEW: Final = ("RS256", "ES256", "EdDSA")
DEFAULT: Final = ("RS256", "ES256")
_WEAK: Final = "weak-rs256"


def make_kit(
    directory: str | os.PathLike[str],
    *,
    audience: str = "https://mail.immure-probe.test",
    algorithms: Sequence[str] = DEFAULT,
    time: clock.Clock = clock.now,
) -> Kit:
    """Make a kit.

    Args:
        directory: must not exist, or be empty.
        audience: what the relying party calls itself (``aud``).
        algorithms: that the relying party takes; there is a key of each kind for each.
        time: the expired key expired a month before.

    Raises:
        KitError: the directory is not empty or cannot be written, or an algorithm is not known.
    """
    if not algorithms or not set(algorithms) <= set(NEW):
        raise KitError(f"algorithms of a kit are {', '.join(NEW)}")
    root = Path(directory)
    try:
        return _make(root, audience, list(dict.fromkeys(algorithms)), time())
    except OSError as error:
        raise KitError(f"cannot be made: {error.strerror or error}", path=str(root)) from error


def _make(root: Path, audience: str, algorithms: Sequence[str], moment: datetime) -> Kit:
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(root.iterdir()):
        raise KitError("is not empty; a kit is made in a directory of its own", path=str(root))
    (root / "keys").mkdir(mode=0o700)
    (root / "jwks").mkdir()
    keys = _rows(algorithms, moment.replace(microsecond=0))
    for row in keys:
        bits = 1024 if row["kid"] == _WEAK else 2048
        write_whole(root / "keys" / f"{row['kid']}.pem", _private(row["alg"], bits), mode=0o600)
    write_whole(root / "kit.toml", kit_text(audience, keys).encode(), mode=0o644)
    kit = read_kit(root / "kit.toml")
    _write_set(root / "jwks.json", shared_set(kit))
    _write_set(root / "attacker.json", attacker_set(kit))
    for name in kit.scopes:
        _write_set(root / "jwks" / f"{name}.json", scope_set(kit, name))
    write_whole(root / "policy.toml", policy_text(kit, algorithms).encode(), mode=0o644)
    return kit


def _rows(algorithms: Sequence[str], moment: datetime) -> list[dict[str, Any]]:
    """What the keys are called, and what is wrong with them; one of each for every algorithm.

    A relying party may take one algorithm and no other, and would refuse a key by another for that alone.
    """
    month = timedelta(days=30)
    kinds: dict[str, dict[str, Any]] = {
        "enterprise": {"scope": "enterprise"},
        "expired": {
            "scope": "enterprise",
            "not_before": moment - 24 * month,
            "not_after": moment - month,
        },
        "future": {
            "scope": "enterprise",
            "not_before": moment + 12 * month,
            "not_after": moment + 24 * month,
        },
        "encryption": {"scope": "enterprise", "use": "enc"},
        "other-cloud": {"scope": "enterprise", "cloud": "elsewhere.immure-probe.test"},
        "consumer": {"scope": "consumer"},
        "other-tenant": {"scope": "other-tenant"},
        "unscoped": {},
        "attacker": {"published": False},
    }
    rows = [
        {"kid": f"{name}-{alg.lower()}", "alg": alg, **members}
        for name, members in kinds.items()
        for alg in algorithms
    ]
    if "RS256" in algorithms:
        rows.append({"kid": _WEAK, "alg": "RS256", "scope": "enterprise"})
    return rows


def _private(alg: str, bits: int) -> bytes:
    from cryptography.hazmat.primitives import serialization as s
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    key: Any
    if alg.startswith("RS"):
        key = rsa.generate_private_key(65537, bits)
    else:
        key = (
            ec.generate_private_key(ec.SECP256R1())
            if alg == "ES256"
            else ed25519.Ed25519PrivateKey.generate()
        )
    pem: bytes = key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption())
    return pem


def _write_set(path: Path, keys: dict[str, Any]) -> None:
    write_whole(path, json.dumps(keys, indent=1).encode() + b"\n", mode=0o644)
