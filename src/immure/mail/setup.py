"""Write the configuration of a mail server: checked by Dovecot first, whole or not at all, and never over
what somebody changed by hand.

What was written is in ``setup.json`` beside the files: a SHA-256 for each. A file that is not as it was
written has been changed by somebody else. Before anything is replaced, the manifest names both the old and
the new, so that a setup that was interrupted can be run again.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from immure.files import write_whole
from immure.mail import doveconf
from immure.mail.configuration import CONFIGURATION
from immure.mail.errors import DovecotError, HandEditedError, MailSettingsError
from immure.mail.files import ConfigurationFile, configuration_files
from immure.mail.settings import MailSettings

MANIFEST: Final = "setup.json"
_MOST_BYTES: Final = 1 << 20
State = Literal["new", "changed", "same", "edited"]


@dataclass(frozen=True, slots=True)
class Step:
    """A file, and what has to be done with it.

    Attributes:
        file: what is to be there.
        state: it is ``new``, is as we wrote it and ``changed`` by the settings, is the ``same`` already, or
            was ``edited`` by somebody else.
    """

    file: ConfigurationFile
    state: State


@dataclass(frozen=True, slots=True)
class Plan:
    """What a setup is going to do.

    Attributes:
        directory: where.
        steps: one for each file, in the order in which they are written.
        version: of Dovecot, which has taken the configuration.
    """

    directory: Path
    steps: Sequence[Step]
    version: str

    @property
    def edited(self) -> list[str]:
        """Names of files that somebody else changed."""
        return [one.file.name for one in self.steps if one.state == "edited"]

    @property
    def is_done(self) -> bool:
        """Whether everything is there already."""
        return all(one.state == "same" for one in self.steps)


def plan_setup(settings: MailSettings, directory: str | os.PathLike[str]) -> Plan:
    """Make the texts, have Dovecot check them, and compare with what is there; nothing is written.

    Raises:
        DovecotError: Dovecot is not there, too old, or does not take the configuration.
        MailSettingsError: the directory's name cannot stand in it, or a file there cannot be read.
    """
    root = Path(os.path.realpath(directory))
    if not str(root).isascii() or any(char in str(root) for char in " \"'#%{}$\\\n"):
        raise MailSettingsError("a path of plain characters is needed", path=str(root))
    files = configuration_files(settings, root)
    version = doveconf.version()
    _check(files)
    written = _read_manifest(root)
    return Plan(root, [Step(one, _state(root, one, written)) for one in files], version)


def apply_setup(plan: Plan, *, force: bool = False) -> list[str]:
    """Write what is not there yet; the names of the files that were written.

    Args:
        plan: from :func:`plan_setup`.
        force: write over what somebody changed by hand, too.

    Raises:
        HandEditedError: somebody changed a file, and ``force`` is not set; nothing was written.
        DovecotError: a file cannot be written.
    """
    if plan.edited and not force:
        raise HandEditedError(
            f"{', '.join(plan.edited)}: changed by hand; --force writes over it", path=str(plan.directory)
        )
    root = plan.directory
    todo = [one.file for one in plan.steps if one.state != "same"]
    try:
        root.mkdir(mode=0o755, parents=True, exist_ok=True)
        if todo:
            before = _read_manifest(root)
            after = {step.file.name: [_hash(step.file.data)] for step in plan.steps}
            _write_manifest(root, {name: [*before.get(name, []), *new] for name, new in after.items()})
            for one in todo:
                write_whole(root / one.name, one.data, mode=one.mode)
            _write_manifest(root, after)
    except OSError as error:
        raise DovecotError(f"cannot be written: {error.strerror or error}", path=str(root)) from error
    return [one.name for one in todo]


def _check(files: Sequence[ConfigurationFile]) -> None:
    with tempfile.TemporaryDirectory(prefix="immure-mail-") as name:
        [text] = [one for one in files if one.name == CONFIGURATION]
        path = Path(name) / CONFIGURATION
        write_whole(path, text.data, mode=0o600)
        doveconf.check_configuration(path)


def _state(root: Path, file: ConfigurationFile, written: dict[str, list[str]]) -> State:
    path = root / file.name
    try:
        data = path.read_bytes()
        mode = path.stat().st_mode & 0o777
    except FileNotFoundError:
        return "new"
    except OSError as error:
        raise MailSettingsError(f"cannot be read: {error.strerror or error}", path=str(path)) from error
    if data == file.data:
        return "same" if mode == file.mode else "changed"
    return "changed" if _hash(data) in written.get(file.name, []) else "edited"


def _hash(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _write_manifest(root: Path, files: dict[str, list[str]]) -> None:
    value = {"version": 1, "files": files}
    write_whole(root / MANIFEST, json.dumps(value, indent=1, sort_keys=True).encode() + b"\n", mode=0o644)


def _read_manifest(root: Path) -> dict[str, list[str]]:
    """What was written before; nothing if there is no manifest, or it is none: then all is somebody
    else's.
    """
    try:
        with (root / MANIFEST).open("rb") as stream:
            value: Any = json.loads(stream.read(_MOST_BYTES))
        files = value["files"]
        return {str(name): [str(one) for one in hashes] for name, hashes in files.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}
