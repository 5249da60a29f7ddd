"""Keys that are lost as files: copied off the host that signs, committed, or attached to a ticket."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from pathlib import Path
from typing import Final

from immure.replay.errors import ReplayError
from immure.replay.issuers import CUSTODIES
from immure.replay.stage import PLACES
from immure.replay.world import World
from immure.secret import Secret

_SECONDS: Final = 60
_WHO: Final = {"NAME": "a developer", "EMAIL": "dev@signing.example"}


def from_host(world: World) -> None:
    """The attacker is on the signing host, and copies what its service reads keys from."""
    _say_load(world)
    words = "he is on the host that signs, and copies the directory where its keys are"
    world.tale.say(1, "attacker", words)
    _copy_keys(world, world.debugging)
    _break_if_sealed(world)


def by_repository(world: World) -> None:
    """Somebody commits the directory of the service, keys and all, and takes the keys out again."""
    _say_load(world)
    git = shutil.which("git")
    if git is None:
        _copy_keys(world, world.debugging)
        world.tale.say(
            1, "production", "its directory is shared with many (there is no git here to commit it)"
        )
    else:
        _commit(world, git)
        words = "its directory is committed; the next commit takes the keys out, and the history keeps them"
        world.tale.say(1, "production", words)
    _break_if_sealed(world)


def by_settings(world: World) -> None:
    """An old program signs with a secret that it shares with the mail system; its settings get about."""
    secret = secrets.token_bytes(32)
    world.shared = Secret(secret)
    settings = f'[tokens]\nkid = "calendar"\nalgorithm = "HS256"\nsecret = "{secret.hex()}"\n'
    (world.debugging / "calendar.toml").write_text(settings, encoding="ascii")
    words = "an old calendar program signs with a secret that the mail system has, too (HS256)"
    world.tale.say(1, "production", words)
    world.tale.say(1, "production", "somebody attaches its settings to a ticket, the secret with them")


def _commit(world: World, git: str) -> None:
    """The objects of a repository, as whoever clones it has them, are in the room that many can read."""
    repository = world.production / "repository"
    repository.mkdir()
    _git(git, repository, "init", "-q")
    _copy_keys(world, repository)
    _git(git, repository, "add", "--all", "--force")
    _git(git, repository, "commit", "-q", "-m", "the service")
    for name in PLACES:
        shutil.rmtree(repository / name, ignore_errors=True)
    _git(git, repository, "commit", "-q", "--all", "--allow-empty", "-m", "without its keys")
    said = _git(git, repository, "cat-file", "--batch", "--batch-all-objects")
    (world.debugging / "objects").write_bytes(said)


def _git(git: str, directory: Path, *words: str) -> bytes:
    named = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER") for what, value in _WHO.items()}
    plain = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    try:
        done = subprocess.run(  # noqa: S603 - git, with words of ours
            [git, *words],
            cwd=directory,
            env=os.environ | named | plain,
            capture_output=True,
            timeout=_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise ReplayError(f"git {words[0]} failed: {error}") from error
    return done.stdout


def _copy_keys(world: World, target: Path) -> None:
    """What the service read keys from when they were lost; it may have replaced and destroyed them since."""
    if world.scene.loot is None:
        raise ReplayError("the keys were to be copied, and were not")
    shutil.copytree(world.scene.loot, target, dirs_exist_ok=True)


def _break_if_sealed(world: World) -> None:
    report = world.stage.searched_room(world.debugging, world.scene.publics)
    if not report.findings and world.tale.has("custody"):
        world.tale.break_by("custody", "what is there is sealed: no key can be read out of it")


def _say_load(world: World) -> None:
    scene = world.scene
    custody = CUSTODIES[scene.issuer.custody]
    words = f"{scene.issuer.kind} signer: {scene.tokens} tokens signed by {scene.lost_kid}; {custody}"
    world.tale.say(1, "production", words)
