"""An honest day: issuers, tenants, users and relying parties, and the noise that they make.

All is drawn from a seed, keys too, so that a scenario that fails can be made again.
"""

from __future__ import annotations

import random
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from immure.synth.scenarios.model import Key, Scenario, Step, Token, Truth, Use, sign

CONSUMER: Final = "https://login.example/consumer"
ENTERPRISE: Final = "https://login.example/enterprise"
#: 1 November 2026, midnight UTC.
BEGINS: Final = 1_793_491_200
LIFETIME: Final = 3600
#: Seconds from one batch to the next.
BATCH: Final = 1800
AUDIENCES: Final = {"https://mail.example": "enterprise", "https://outlook.example": "consumer"}
FIRST_PARTY: Final = "00000002-0000-0ff1-ce00-000000000000"
_CLIENTS: Final = (FIRST_PARTY, "mail-app", "calendar-app")


class World:
    """A day that grows; attackers (:mod:`immure.synth.scenarios.attackers`) act in it.

    Args:
        seed: of all that is drawn.
        tokens: that are issued.
        seconds: how long it lasts.
        skew: by which the clock of relying parties is ahead of the issuers' (may be negative).
    """

    def __init__(self, seed: int, *, tokens: int = 200, seconds: int = 6 * 3600, skew: int = 0) -> None:
        self.random = random.Random(seed)  # noqa: S311 - made up on purpose
        self.seconds, self.skew = seconds, skew
        self.ends = BEGINS + seconds
        #: All tokens with an earlier ``iat`` are in the ledger in the end.
        self.watermark = BEGINS + (seconds // BATCH) * BATCH - BATCH
        self.tenants = [self.uuid() for _ in range(4)]
        self.keys = {
            CONSUMER: self._key("consumer-1", CONSUMER, "consumer"),
            ENTERPRISE: self._key("enterprise-1", ENTERPRISE, "enterprise"),
        }
        self.issued: list[Token] = []
        self.lost: list[tuple[int, int]] = []
        self.extra: list[Step] = []
        self.uses: list[Use] = []
        self.truth: dict[bytes, Truth] = {}
        for moment in sorted(self.random.randrange(BEGINS, self.ends) for _ in range(tokens)):
            self._live(moment, self.random.choice((CONSUMER, ENTERPRISE)))
        for issuer in self.keys:
            self.begin(issuer, self.watermark)

    def begin(self, issuer: str, before: int) -> None:
        """See to it that an issuer has issued something before a moment: else its ledger has not begun."""
        if not any(one.claims["iss"] == issuer and one.claims["iat"] < before for one in self.issued):
            self._live(self.random.randrange(BEGINS, min(before, BEGINS + BATCH)), issuer)

    def uuid(self) -> str:
        """A random identifier."""
        digits = self.random.randbytes(16).hex()
        return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))

    def _key(self, kid: str, issuer: str, kind: str) -> Key:
        private = Ed25519PrivateKey.from_private_bytes(self.random.randbytes(32))
        return Key(kid, issuer, kind, BEGINS - 90 * 86400, private)

    def claims(self, issuer: str, moment: int, **changes: Any) -> dict[str, Any]:
        """Claims of a token as the issuer makes it."""
        enterprise = issuer == ENTERPRISE
        made = {
            "iss": issuer,
            "aud": "https://mail.example" if enterprise else "https://outlook.example",
            "sub": f"user-{self.random.randrange(40)}",
            "tid": self.random.choice(self.tenants),
            "client_id": self.random.choice(_CLIENTS),
            "jti": self.uuid(),
            "iat": moment,
            "exp": moment + LIFETIME,
        }
        return {**made, **changes}

    def _live(self, moment: int, issuer: str) -> None:
        token = sign(self.keys[issuer], self.claims(issuer, moment))
        self.issued.append(token)
        self.truth[token.digest] = "issued" if moment < self.watermark else "not-yet-known"
        for _ in range(self.random.randrange(1, 4)):
            self.use(token, within=LIFETIME)

    def use(self, token: Token, *, within: int = 600, address: str = "") -> None:
        """Somebody uses a token some time after it says it was issued."""
        moment = token.claims["iat"] + self.skew + self.random.uniform(0.5, within)
        place = address or f"10.{self.random.randrange(4)}.0.{self.random.randrange(1, 250)}"
        self.uses.append(Use(round(moment, 6), token, "mail", place))

    def known_moment(self) -> int:
        """A second of which the ledger will be complete."""
        return self.random.randrange(BEGINS + 60, self.watermark - 1)

    def steps(self) -> list[Step]:
        """What becomes of the ledger: tokens are recorded, and batches closed."""
        made: list[Step] = []
        rest = sorted(
            (one for one in self.issued if not self._is_lost(one.claims["iat"])),
            key=lambda one: one.claims["iat"],
        )
        for end in range(BEGINS + BATCH, self.watermark + 1, BATCH):
            page = [one for one in rest if one.claims["iat"] < end]
            rest = rest[len(page) :]
            made += [Step("record", end, tokens=tuple(page)), Step("seal", end)]
        for step in self.extra:
            place = next((n for n, one in enumerate(made) if one.time > step.time), len(made))
            made.insert(place, step)
        return made

    def _is_lost(self, moment: int) -> bool:
        return any(start <= moment < end for start, end in self.lost)

    def done(self, name: str) -> Scenario:
        """The scenario, with uses in the order of their times unless somebody has mixed them."""
        return Scenario(
            name,
            tuple(self.keys.values()),
            tuple(self.steps()),
            tuple(self.uses),
            dict(self.truth),
            LIFETIME,
            AUDIENCES,
        )
