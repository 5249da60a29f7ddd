"""Who does what in which scenario.

>>> sorted(SCENARIOS)[:3]
['backfill', 'clock-skew', 'copied-jti']
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from immure.synth.scenarios.model import Key, Scenario, Step, Token, sign
from immure.synth.scenarios.world import BATCH, BEGINS, CONSUMER, ENTERPRISE, FIRST_PARTY, World


def _forge(world: World, key: Key, moment: int, **changes: object) -> Token:
    """A token of the enterprise issuer that nobody issued."""
    token = sign(key, world.claims(ENTERPRISE, moment, **changes))
    world.truth[token.digest] = "forged" if moment < world.watermark else "not-yet-known"
    return token


def nobody(world: World) -> None:
    """Only noise."""


def stolen_key(world: World) -> None:
    """The incident: the consumer key signs tokens for enterprise mailboxes."""
    for _ in range(world.random.randrange(3, 9)):
        token = _forge(world, world.keys[CONSUMER], world.known_moment())
        for _ in range(3):
            world.use(token, address="203.0.113.7")


def stolen_right_key(world: World) -> None:
    """The key of the enterprise issuer itself: nothing but the ledger can tell."""
    for _ in range(world.random.randrange(3, 9)):
        world.use(_forge(world, world.keys[ENTERPRISE], world.known_moment()))


def copied_jti(world: World) -> None:
    """Tokens that copy all of a genuine one but whose mailbox they are for: a jti is no proof."""
    seen = [one for one in world.issued if one.claims["iss"] == ENTERPRISE]
    for genuine in world.random.sample(seen, min(5, len(seen))):
        if genuine.claims["iat"] < world.watermark:
            token = sign(world.keys[ENTERPRISE], {**genuine.claims, "sub": "minister"})
            world.truth[token.digest] = "forged"
            world.use(token)


def first_party(world: World) -> None:
    """Tokens that name a first-party client, as in the incident."""
    for _ in range(5):
        world.use(_forge(world, world.keys[ENTERPRISE], world.known_moment(), client_id=FIRST_PARTY))


def low_and_slow(world: World) -> None:
    """One token in a long time, used once."""
    world.use(_forge(world, world.keys[ENTERPRISE], world.known_moment()))


def in_a_gap(world: World) -> None:
    """Rows are lost, and the gap is declared; a thief knows of it. Nobody can tell who is who in there."""
    start = BEGINS + BATCH * world.random.randrange(1, world.seconds // BATCH - 3)
    end = start + BATCH
    world.lost.append((start, end))
    for issuer in (CONSUMER, ENTERPRISE):
        world.begin(issuer, start)  # a gap is between rows: it ends what was known
        world.extra.append(Step("gap", end, start=start, issuer=issuer))
    for token in world.issued:
        if start <= token.claims["iat"] < end:
            world.truth[token.digest] = "ledger-gap"
    for _ in range(4):
        token = _forge(world, world.keys[ENTERPRISE], world.random.randrange(start, end))
        world.truth[token.digest] = "ledger-gap"
        world.use(token)
    outside = [moment for moment in (start - 1, end) if BEGINS < moment < world.watermark]
    for moment in outside:
        world.use(_forge(world, world.keys[ENTERPRISE], moment))


def backfill(world: World) -> None:
    """An operator writes rows for forged tokens when the watermark has passed, and has them signed."""
    tokens = []
    for _ in range(4):
        token = _forge(
            world, world.keys[ENTERPRISE], world.random.randrange(BEGINS + 60, world.watermark - BATCH)
        )
        world.use(token)
        tokens.append(token)
    world.extra.append(Step("backfill", world.watermark + BATCH, issuer=ENTERPRISE, tokens=tuple(tokens)))


def late_batches(world: World) -> None:
    """Logs come twice, and out of order."""
    world.uses += world.random.sample(world.uses, len(world.uses) // 3)
    world.random.shuffle(world.uses)
    stolen_right_key(world)


def clock_skew(world: World) -> None:
    """Relying parties whose clock is behind: genuine tokens are used before they were issued."""
    stolen_right_key(world)


def from_the_future(world: World) -> None:
    """Tokens that say they are from tomorrow stay above every watermark."""
    for _ in range(3):
        world.use(_forge(world, world.keys[ENTERPRISE], world.ends + 86_400))
        world.uses.append(replace(world.uses.pop(), time=float(world.known_moment())))


def other_issuer(world: World) -> None:
    """Tokens of an issuer without a ledger: nobody can tell."""
    for _ in range(5):
        token = sign(world.keys[ENTERPRISE], world.claims("https://partner.example", world.known_moment()))
        world.truth[token.digest] = "unknown"
        world.use(token)


SCENARIOS: Final[dict[str, Callable[[World], None]]] = {
    "quiet": nobody,
    "stolen-key": stolen_key,
    "stolen-right-key": stolen_right_key,
    "copied-jti": copied_jti,
    "first-party": first_party,
    "low-and-slow": low_and_slow,
    "in-a-gap": in_a_gap,
    "backfill": backfill,
    "late-batches": late_batches,
    "clock-skew": clock_skew,
    "from-the-future": from_the_future,
    "other-issuer": other_issuer,
}


def scenario(name: str, seed: int, *, tokens: int = 200) -> Scenario:
    """A scenario; the same for the same seed.

    Raises:
        KeyError: there is none of that name.
    """
    attack = SCENARIOS[name]
    world = World(seed, tokens=tokens, skew=-90 if name == "clock-skew" else 0)
    attack(world)
    if name != "late-batches":
        world.uses.sort(key=lambda use: use.time)
    return world.done(name)
