"""Keys of a key holder: how they are rotated, counted and destroyed by a service that may only sign."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from tests.custody.keyholder.making import API, CHEAP, CONSUMER, PIN, claims, rules

from immure.cli.signing import _first_keys, first_keys
from immure.custody.keyholder import AsyncKeyHolder, KeyHolder
from immure.custody.keyholder.errors import (
    HolderError,
    HolderRequestError,
    HolderRoleError,
    RefusedAudienceError,
    RefusedQuotaError,
)
from immure.errors import SignerError
from immure.registry.scope import KeyScope
from immure.registry.sqlite_store import SqliteStore
from immure.registry.state import KeyState
from immure.signing.holder_keys import HolderKeys
from immure.signing.rotation import Action, Plan, Rotator
from immure.signing.service import Service
from signing.house import HERE, MAIL, OUTLOOK, SECRET, SETTINGS, House

PLAN = Plan(KeyScope(CONSUMER, frozenset({"consumer"})), "EdDSA", "k")
HEADER = {"alg": "EdDSA", "typ": "JWT"}


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "own" / "keys.sealed"
    with KeyHolder.create(path, [PIN], **CHEAP) as holder:
        holder.generate("few", rules("EdDSA", quota=3))
        holder.generate("k-0001", rules("EdDSA"))  # the newest, which others follow
    return path


def using(store: Path, work: Callable[[HolderKeys], Any]) -> Any:
    """``work(keys)`` in a loop, with a holder in the role that a service has."""

    async def inner() -> Any:
        keys = HolderKeys(store, [PIN], **CHEAP)
        await keys.start()
        try:
            return await work(keys)
        finally:
            await keys.aclose()

    return asyncio.run(inner())


def sign(keys: HolderKeys, kid: str) -> Any:
    return keys.sign_token(kid, {**HEADER, "kid": kid}, claims())


def states(store: Path) -> dict[str, str]:
    with KeyHolder.start(store, [PIN], **CHEAP) as holder:
        return {kid: info.state.value for kid, info in holder.list().items()}


def test_a_key_from_its_making_to_its_end(store: Path) -> None:
    async def work(keys: HolderKeys) -> None:
        public = await asyncio.to_thread(keys.generate, "k-0002", PLAN)
        again = await asyncio.to_thread(keys.generate, "k-0002", PLAN)
        assert again.thumbprint == public.thumbprint
        text = await sign(keys, "k-0002")
        jwt.decode(text, jwt.PyJWK(public.to_jwk(), "EdDSA"), ["EdDSA"], audience=API)
        for _ in range(2):
            await asyncio.to_thread(keys.destroy, "k-0001")
        await asyncio.to_thread(keys.destroy, "never-made")
        with pytest.raises(SignerError, match="is destroyed"):
            await sign(keys, "k-0001")
        assert await sign(keys, "k-0002")

    using(store, work)
    assert states(store) == {"k-0001": "destroyed", "few": "active", "k-0002": "active"}
    kept = json.loads(store.read_bytes().split(b"\n")[1])["keys"]
    assert {one["kid"]: one["private"] == "" for one in kept} == {
        "few": False,
        "k-0001": True,
        "k-0002": False,
    }


@pytest.mark.parametrize("before", ["pre-active", "suspended", "compromised"])
def test_destroyed_whatever_became_of_it(store: Path, before: str) -> None:
    """A key that never signed is still pre-active for the holder when its time is over."""

    async def work(keys: HolderKeys) -> None:
        await asyncio.to_thread(keys.generate, "k-0002", PLAN)
        if before != "pre-active":
            await sign(keys, "k-0002")
            await keys._running().set_state("k-0002", KeyState(before), "by hand")
        await asyncio.to_thread(keys.destroy, "k-0002")

    using(store, work)
    assert states(store)["k-0002"] == "destroyed"


@pytest.mark.parametrize(
    ("kid", "state", "error"),
    [
        ("k-0001", KeyState.DESTROYED, HolderRequestError),  # active: not before it is out of use
        ("gone", KeyState.ACTIVE, HolderRoleError),
        ("asleep", KeyState.ACTIVE, HolderRoleError),
        ("asleep", KeyState.DESTROYED, HolderRequestError),
    ],
)
def test_what_a_service_may_not_do(store: Path, kid: str, state: KeyState, error: type[HolderError]) -> None:
    with KeyHolder.start(store, [PIN], role="manage", **CHEAP) as holder:
        for name in ("gone", "asleep"):
            holder.generate(name, rules("EdDSA"))
        holder.set_state("gone", KeyState.DEACTIVATED)
        holder.set_state("asleep", KeyState.SUSPENDED)
    with KeyHolder.start(store, [PIN], **CHEAP) as holder:
        with pytest.raises(error):
            holder.set_state(kid, state)
        holder.set_state("gone", KeyState.DESTROYED)


def test_the_first_tokens_of_a_key_come_together(store: Path) -> None:
    """Each of them finds that the key was not in use yet."""

    async def work(keys: HolderKeys) -> list[str]:
        await asyncio.to_thread(keys.generate, "k-0002", PLAN)
        return await asyncio.gather(*(sign(keys, "k-0002") for _ in range(30)))

    assert len(using(store, work)) == 30


def test_another_front_end_is_quicker(store: Path) -> None:
    """What this one knows of the keys is from before."""

    async def work(keys: HolderKeys) -> None:
        holder = keys._running()
        for step in ("activate", "make", "destroy"):
            await asyncio.to_thread(keys.generate, f"k-{step}", PLAN)
        before = dict(holder._keys)
        for step in ("activate", "destroy"):
            await holder.set_state(f"k-{step}", KeyState.ACTIVE)
        await holder.set_state("k-destroy", KeyState.DEACTIVATED)
        await holder.set_state("k-destroy", KeyState.DESTROYED)
        holder._keys = dict(before)
        assert await sign(keys, "k-activate")
        holder._keys = dict(before)
        listed = holder.list

        async def stale() -> Any:
            holder.list = listed  # type: ignore[method-assign]
            return {kid: info for kid, info in before.items() if kid != "k-make"}

        holder.list = stale  # type: ignore[method-assign]
        made = await asyncio.to_thread(keys.generate, "k-make", PLAN)
        assert made.thumbprint == before["k-make"].public.thumbprint

        holder.list = stale  # type: ignore[method-assign]
        await asyncio.to_thread(keys.destroy, "k-destroy")
        assert (await holder.list())["k-destroy"].state is KeyState.DESTROYED

    using(store, work)


def test_rotation_needs_nobody(store: Path, tmp_path: Path) -> None:
    """By the service's own rotation, in the role that it has: made, used, destroyed, three times over."""
    moment = timedelta(seconds=0.3)
    quick = Plan(PLAN.scope, "EdDSA", "r", lifetime=moment, announce=timedelta(0), overlap=moment)
    registry = SqliteStore(tmp_path / "keys.db", create=True)

    async def work(keys: HolderKeys) -> None:
        rotator = Rotator(registry, keys, {CONSUMER: quick})
        end, steps = time.monotonic() + 30, []
        while [step.action for step in steps].count(Action.DESTROY) < 3:
            assert time.monotonic() < end
            steps += await asyncio.to_thread(lambda: list(rotator.run()))
            if len(steps) % 2:  # some keys of the round never sign
                await sign(keys, rotator.signing(CONSUMER).kid)
            await asyncio.sleep(0.05)

    using(store, work)
    registry.close()
    after = states(store)
    assert [after[f"r-000{number}"] for number in (1, 2, 3)] == ["destroyed"] * 3
    assert after["k-0001"] == "active"  # not one of its own


def test_successors_of_keys_that_never_signed(store: Path) -> None:
    """Nobody asked for a token in all the time of the second key; one that is suspended is left alone."""

    async def work(keys: HolderKeys) -> None:
        await asyncio.to_thread(keys.generate, "k-0002", PLAN)
        for kid in ("k-0001", "few"):
            await asyncio.to_thread(keys.destroy, kid)
        await asyncio.to_thread(keys.generate, "k-0003", PLAN)
        await keys._running().set_state("k-0002", KeyState.COMPROMISED, "?")
        await sign(keys, "k-0003")
        await keys._running().set_state("k-0003", KeyState.SUSPENDED, "?")
        await asyncio.to_thread(keys.generate, "k-0004", PLAN)
        await asyncio.to_thread(keys.destroy, "k-0002")
        await asyncio.to_thread(keys.destroy, "k-0004")
        with pytest.raises(SignerError, match=r"no key for .* yet that it could follow"):
            await asyncio.to_thread(keys.generate, "k-0005", PLAN)
        with pytest.raises(HolderRequestError, match="is suspended, and has no successors"):
            await keys._running().succeed("k-0005", "k-0003")

    using(store, work)


def test_counts_and_quota(store: Path) -> None:
    async def work(keys: HolderKeys) -> None:
        for number in range(3):
            use = await asyncio.to_thread(keys.use, "few")
            assert (use.signed, use.quota, use.left, use.lasts) == (number, 3, 3 - number, True)
            await sign(keys, "few")
        with pytest.raises(RefusedQuotaError, match="has signed 3 times, as often as it may"):
            await sign(keys, "few")
        assert await asyncio.to_thread(keys.uses, "few") == 3
        assert (await asyncio.to_thread(keys.use, "few")).left == 0
        assert (await asyncio.to_thread(keys.use, "k-0001")).left is None
        assert (await asyncio.to_thread(keys.use, "never-made")).signed == 0

    using(store, work)


def test_a_service_whose_key_has_signed_enough(
    tmp_path: Path, run: Callable[..., Any], capfd: pytest.CaptureFixture[str]
) -> None:
    """503, with the reason in the journal; nothing is issued."""
    import io

    text = SETTINGS.replace("file+unsafe:private", "keyholder:holder/keys.sealed?pin-source=pin")
    (tmp_path / "pin").write_text("a pin of the tests\n")
    (tmp_path / "pin").chmod(0o600)
    house = House(tmp_path, text)
    _first_keys(house.settings)
    journal = io.StringIO()
    asked = {"grant_type": "client_credentials", "resource": MAIL}

    async def work(client: Any, service: Service) -> None:
        good = await client.post("/enterprise/token", data=asked, auth=("daemon", SECRET))
        assert good.status_code == 200
        holder: AsyncKeyHolder = service.keys._running()  # type: ignore[attr-defined]

        def spent(*_: object) -> asyncio.Future[bytes]:
            future = asyncio.get_running_loop().create_future()
            future.set_exception(
                RefusedQuotaError("key 'enterprise-0001' has signed 7 times, as often as it may")
            )
            return future

        holder.sign_at_once = spent  # type: ignore[method-assign, assignment]
        refused = await client.post("/enterprise/token", data=asked, auth=("daemon", SECRET))
        assert refused.status_code == 503
        assert refused.json()["error"] == "temporarily_unavailable"
        assert "access_token" not in refused.text

    run(house, work, stream=journal)
    assert "as often as it may" in journal.getvalue()
    assert "holder-quota" in journal.getvalue()


def test_the_next_key_knows_audiences_that_were_added(tmp_path: Path) -> None:
    """The front end is in other hands: what is not for consumers each key refuses that was made since."""
    house, target, pin = House(tmp_path), tmp_path / "own" / "keys.sealed", tmp_path / "pin"
    pin.write_text(f"{PIN}\n")
    pin.chmod(0o600)
    first_keys(house.settings, target, [pin])
    plan = Plan(KeyScope(f"{HERE}/consumer", frozenset({"consumer"})), "ES256", "consumer")
    classes = {name: one.audience_class for name, one in house.settings.audiences.items()}
    added = {"https://office.example": "enterprise", "https://chat.example": "consumer", MAIL: "consumer"}

    async def work() -> None:
        keys = HolderKeys(target, [pin])
        keys.tell({**classes, **added})
        await keys.start()
        try:
            for kid in ("consumer-0002", "consumer-0003"):  # and what one knows, the next one knows
                await asyncio.to_thread(keys.generate, kid, plan)
                keys.tell({})
                for audience, fine in (
                    (OUTLOOK, True),
                    ("https://chat.example", True),
                    ("an-app", True),
                    ("https://office.example", False),
                    (MAIL, False),
                ):
                    assert await signs(keys, kid, audience) == fine, audience
        finally:
            await keys.aclose()

    async def signs(keys: HolderKeys, kid: str, audience: str) -> bool:
        now = int(time.time())
        said = {"iss": plan.scope.issuer, "sub": "s", "aud": audience, "iat": now, "exp": now + 60}
        try:
            await keys.sign_token(kid, {"alg": "ES256", "kid": kid, "typ": "at+jwt"}, said)
        except RefusedAudienceError:
            return False
        return True

    asyncio.run(work())
