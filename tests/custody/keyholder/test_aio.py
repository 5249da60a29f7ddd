"""The holder for asyncio: many in flight, and what happens to them when it dies."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from immure.custody.keyholder import AsyncKeyHolder, KeyHolder
from immure.custody.keyholder.errors import (
    HolderGoneError,
    HolderKeyError,
    HolderPinError,
    RefusedToSignError,
)
from immure.registry.state import KeyState

from .making import CHEAP, ENTERPRISE, PIN, claims, rules


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    path = tmp_path_factory.mktemp("aio") / "own" / "keys.sealed"
    with KeyHolder.create(path, [PIN], **CHEAP) as holder:
        holder.generate("a", rules())
        holder.generate("r", rules("RS256"), bits=2048)
        holder.generate("n", rules(purposes=frozenset({"note"})))
    return path


def run(path, work, **options):
    async def main():
        async with await AsyncKeyHolder.start(path, [PIN], **(CHEAP | options)) as holder:
            return await work(holder)

    return asyncio.run(main())


def test_many_in_flight(own):
    async def work(holder):
        tokens = await asyncio.gather(*(holder.sign_token("a", claims(sub=str(n))) for n in range(1000)))
        assert len(set(tokens)) == 1000
        assert len(await holder.sign("n", "note", b"a\n\n")) == 64
        assert (await holder.status())["role"] == "sign"
        return (await holder.list())["a"].signed

    assert run(own, work) >= 1000


def test_at_once_if_it_takes_nothing_but_to_ask(own):
    async def work(holder):
        assert holder.sign_at_once("n", "note", b"a\n\n") is None  # nobody knows of the key yet
        await holder.list()
        signatures = await asyncio.gather(
            *(holder.sign_at_once("n", "note", b"%d\n\n" % n) for n in range(300))
        )
        assert len(set(signatures)) == 300
        with pytest.raises(RefusedToSignError):
            await holder.sign_at_once("n", "note", b"no note")
        await holder.succeed("later", "a", bits=2048)
        assert holder.sign_at_once("later", "token", b"e30.e30") is None  # not in use yet
        await holder.set_state("n", KeyState.SUSPENDED)
        assert holder.sign_at_once("n", "note", b"a\n\n") is None
        os.kill(holder.pid, signal.SIGKILL)
        while holder._link.is_open:
            await asyncio.sleep(0.01)
        assert holder.sign_at_once("a", "token", b"e30.e30") is None  # it must be started first

    run(own, work)


def test_answers_do_not_wait_for_all_that_waits(own):
    async def work(holder):
        tasks = [asyncio.create_task(holder.sign_token("r", claims(sub=str(n)))) for n in range(1500)]
        _, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        assert pending
        assert len(set(await asyncio.gather(*tasks))) == 1500
        for _ in range(20):  # nor does one alone wait for others
            assert await asyncio.wait_for(holder.sign_token("r", claims()), 10)

    run(own, work)


def test_refusals(own):
    async def work(holder):
        with pytest.raises(RefusedToSignError, match="not for"):
            await holder.sign_token("a", claims(iss=ENTERPRISE))
        with pytest.raises(HolderKeyError):
            await holder.sign_token("b", claims())
        await holder.succeed("b", "a", bits=2048)
        await holder.set_state("b", KeyState.ACTIVE)
        assert await holder.sign_token("b", claims())

    run(own, work)


def test_a_wrong_pin(own):
    async def main():
        with pytest.raises(HolderPinError):
            await AsyncKeyHolder.start(own, ["wrong"], **CHEAP)

    asyncio.run(main())


def test_in_flight_when_it_dies(own):
    async def work(holder):
        await holder.sign_token("r", claims())
        asyncio.get_running_loop().call_later(0.05, os.kill, holder.pid, signal.SIGKILL)
        made = await asyncio.gather(
            *(holder.sign_token("r", claims()) for _ in range(4000)), return_exceptions=True
        )
        kinds = {type(one) for one in made}
        assert kinds <= {str, HolderGoneError}
        assert HolderGoneError in kinds
        tokens = await asyncio.gather(*(holder.sign_token("a", claims()) for _ in range(20)))
        assert len(tokens) == 20

    run(own, work)


def test_a_wedged_holder(own):
    async def work(holder):
        os.kill(holder.pid, signal.SIGSTOP)
        with pytest.raises(HolderGoneError, match="did not answer"):
            await holder.sign_token("a", claims())
        assert await holder.sign_token("a", claims())

    run(own, work, timeout=0.5)


def test_who_gives_up_does_not_disturb_the_others(own):
    async def work(holder):
        tasks = [asyncio.create_task(holder.sign_token("a", claims())) for _ in range(50)]
        await asyncio.sleep(0)
        for one in tasks[::2]:
            one.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert all(one.result() for one in tasks[1::2])
        assert await holder.sign_token("a", claims())

    run(own, work)


def test_closed(own):
    async def main():
        holder = await AsyncKeyHolder.start(own, [PIN], **CHEAP)
        await holder.aclose()
        await holder.aclose()
        for ask in (holder.list(), holder.sign_token("a", claims())):
            with pytest.raises(HolderGoneError, match="is closed"):
                await ask

    asyncio.run(main())


def test_who_gives_up_while_it_starts_again_takes_nothing_along(own):
    """Patience shorter than a start: the start goes on, is done once, and serves who comes after."""

    async def work(holder):
        before = holder.pid
        os.kill(before, signal.SIGKILL)
        for _ in range(5):
            with pytest.raises((TimeoutError, HolderGoneError)):
                await asyncio.wait_for(holder.sign_token("a", claims()), 0.005)
        token = await holder.sign_token("a", claims())
        assert holder.pid != before
        assert len(holder._restarts._times) == 1
        return token

    assert run(own, work, restarts=1)


def test_closed_while_it_starts_again(own):
    async def main():
        holder = await AsyncKeyHolder.start(own, [PIN], **CHEAP)
        os.kill(holder.pid, signal.SIGKILL)
        waiting = asyncio.gather(
            *(holder.sign_token("a", claims()) for _ in range(3)), return_exceptions=True
        )
        await asyncio.sleep(0.01)
        await holder.aclose()
        assert {type(one) for one in await waiting} == {HolderGoneError}

    asyncio.run(main())
    with KeyHolder.start(own, [PIN], **CHEAP) as again:  # nobody has the file any more
        assert again.list()
