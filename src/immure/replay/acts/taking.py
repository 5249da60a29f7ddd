"""The attacker searches what he has, and puts the key together; then time passes."""

from __future__ import annotations

from typing import Final

from immure.replay.errors import ReplayError
from immure.replay.networks import reaches
from immure.replay.parsing import claims_of
from immure.replay.program import LOOPBACK
from immure.replay.thief import Thief
from immure.replay.world import World

#: Seconds of a wait that is none.
_AT_ONCE: Final = 0.1


def act(world: World) -> None:
    """See the module."""
    tale, scene, link = world.tale, world.scene, _link(world)
    account = claims_of(scene.issuer.token())
    thief = Thief(scene.publics, account)
    world.thief = thief
    room = world.debugging if world.inside else world.stage.room("outside")
    key, report = world.in_debugging(lambda: thief.search(room))
    if tale.scenario.way == "secret":
        key = thief.read_settings(room)
    if world.inside:
        _say_whether_parted(world, link)
    size = sum(image.size for image in report.images) / 1e6
    if key is not None:
        tale.say(link, "attacker", f"he searches {size:.1f} MB for {key.kid}, and finds {key.how}")
        if tale.scenario.way != "secret":
            tale.say(link, "attacker", "from it the private key follows; it signs as the issuer does")
    else:
        key = thief.made_up(scene.lost_kid)
        tale.say(
            link, "attacker", f"he searches {size:.1f} MB, and finds no key; he goes on with one of his own"
        )
    world.key = key
    if tale.has("rotation"):
        seconds = world.stage.await_retirement(scene)
        words = f"the key's month is over (2 s here): {scene.lost_kid} is retired, and published no more"
        wait = f" ({seconds:.1f} s later)" if seconds > _AT_ONCE else ""
        tale.say(world.link("rotation"), "issuer", words + wait)
    elif "rotation" in tale.scenario.controls:
        tale.say(
            world.link("rotation"), "issuer", f"two years go by; {scene.lost_kid} signs on, and is published"
        )


def _say_whether_parted(world: World, link: int) -> None:
    """From where he is he asks for the service that signs: what he has must come out of what was moved."""
    if world.stage.debugging is None:
        return
    port = world.scene.issuer.port
    if world.in_debugging(lambda: reaches(LOOPBACK, port)):
        raise ReplayError("the signer can be reached from the debugging room, whose network is its own")
    words = "from that room no way leads to production: he has what was moved, and nothing else"
    world.tale.say(link, "attacker", words)


def _link(world: World) -> int:
    scenario = world.tale.scenario
    return world.link("access" if "access" in scenario.controls else "custody")
