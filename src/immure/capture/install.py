"""Makes the kernel send cores to us for good, and puts back what was there.

:func:`make_plan` says what will be written and what will be in force, and changes nothing; :func:`install`
does it. What was in force before is remembered in :data:`EARLIER`.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from immure.capture.directories import make_directory
from immure.capture.pattern import KERNEL_DEFAULT, Pattern, Via, our_pattern, read_pattern, read_pipe_limit
from immure.capture.pattern import write_pattern as put_in_force
from immure.capture.settings import CONFIG, Settings
from immure.capture.sysctls import configured_pattern
from immure.capture.unit import SYSCTL, UNIT, UNIT_NAME, sysctl_text, unit_text
from immure.clock import Clock, now, to_rfc3339
from immure.errors import CaptureError, UsageError
from immure.files import write_whole

EARLIER: Final = Path("/var/lib/immure/capture-earlier.json")
#: Handlers that the kernel starts at a time, and waits for: it holds the process until the core was read.
PIPE_LIMIT: Final = 64
_SYSTEMD: Final = Path("/run/systemd/system")
_MOST_BYTES: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Plan:
    """What an installation does.

    Attributes:
        root: below which files are written; ``/`` for this system.
        files: what is written, by path as the installed system sees it.
        pattern, pipe_limit: what will be in force.
        earlier: the pattern that was.
        settings: of the server, forwarding included.
    """

    root: Path
    files: dict[Path, str]
    pattern: Pattern
    pipe_limit: int | None
    earlier: Pattern
    settings: Settings

    @property
    def is_live(self) -> bool:
        """Whether this is about the running system."""
        return self.root == Path("/")


def make_plan(
    settings: Settings,
    *,
    via: Via,
    program: str,
    root: Path = Path("/"),
    replace_owner: bool = False,
    forward: bool = False,
    clock: Clock = now,
) -> Plan:
    """What ``install`` would do.

    Args:
        settings: of the server.
        via: how the kernel sends cores.
        program: absolute path of the command ``immure``, as the installed system sees it.
        root: of the system.
        replace_owner: take the place of another program.
        forward: hand redacted cores on to that program.

    Raises:
        UsageError: another program gets the cores, and is not to be replaced; or there is none to forward to.
        CaptureError: the pattern in force cannot be read, or ours would be too long.
    """
    if not program.startswith("/"):
        raise UsageError("the kernel and systemd need an absolute path", path=program)
    earlier, remembered = _earlier(root)
    if earlier.kind != "file" and not remembered and not replace_owner:
        raise UsageError(_occupied(earlier))
    if forward:
        if earlier.kind != "pipe":
            raise UsageError(f"there is no program to forward to: core_pattern was {earlier.text!r}")
        settings = replace(settings, forward_to=earlier.text)
    settings.check()
    pattern = our_pattern(via, socket=settings.core_socket, program=program)
    pipe_limit = PIPE_LIMIT if via == "pipe" else None
    note = {"pattern": earlier.text, "pipe_limit": _pipe_limit(root), "installed": to_rfc3339(clock())}
    files = {
        CONFIG: _CONFIG_HEAD + settings.to_toml(),
        UNIT: unit_text(settings, program),
        EARLIER: json.dumps(note, indent=1) + "\n",
        SYSCTL: sysctl_text(pattern, pipe_limit),
    }
    if remembered:
        del files[EARLIER]
    return Plan(root, files, pattern, pipe_limit, earlier, settings)


def install(plan: Plan, *, apply: bool = True) -> list[str]:
    """Write the files, and, on the running system, start the service and put the pattern in force. What was
    done, in words.

    Raises:
        CaptureError: something cannot be written or started; the pattern in force is then the earlier one.
    """
    done = [_write(plan.root, path, text) for path, text in plan.files.items()]
    if not (apply and plan.is_live):
        return [*done, "nothing was put in force: the system will do so when it starts"]
    _prepare(plan.settings)
    done += _start_service()
    put_in_force(plan.pattern, pipe_limit=plan.pipe_limit)
    return [*done, f"core_pattern is now {plan.pattern.text}"]


def uninstall(*, root: Path = Path("/"), apply: bool = True) -> list[str]:
    """Put back what was there, and remove the files; the vault stays, and what is in it. What was done, in
    words.

    Raises:
        CaptureError: something cannot be removed or written.
    """
    earlier, remembered = _earlier(root)
    limit = _remembered(root).get("pipe_limit")
    done: list[str] = []
    if apply and root == Path("/"):
        in_force = read_pattern()
        if in_force.owner == "immure":
            put_in_force(earlier, pipe_limit=limit if isinstance(limit, int) else None)
            done.append(
                f"core_pattern is again {earlier.text}"
                if remembered
                else f"core_pattern is now {earlier.text}"
            )
        else:
            done.append(f"core_pattern is {in_force.text}, which is not ours: it stays")
        done += _systemctl("disable", "--now", UNIT_NAME)
    removed = [line for path in (SYSCTL, UNIT, CONFIG, EARLIER) if (line := _remove(root, path))]
    if apply and root == Path("/"):
        removed += _systemctl("daemon-reload")
    return done + removed or ["nothing was installed"]


def _earlier(root: Path) -> tuple[Pattern, bool]:
    """The pattern before ours, and whether that was remembered from an earlier installation."""
    text = _remembered(root).get("pattern")
    if isinstance(text, str):
        return Pattern(text), True
    if root == Path("/"):
        pattern = read_pattern()
        if pattern.owner != "immure":
            return pattern, False
    configured = configured_pattern(root, leave_out=SYSCTL.name)
    return Pattern(configured or KERNEL_DEFAULT), False


def _remembered(root: Path) -> dict[str, Any]:
    path = _below(root, EARLIER)
    try:
        with path.open("rb") as stream:
            value = json.loads(stream.read(_MOST_BYTES))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise CaptureError(f"cannot be read: {error}", path=str(path)) from error
    if not isinstance(value, dict):
        raise CaptureError("does not say what was there before", path=str(path))
    return value


def _pipe_limit(root: Path) -> int | None:
    return read_pipe_limit() if root == Path("/") else None


def _occupied(earlier: Pattern) -> str:
    return (
        f"{earlier.owner} gets the cores of this system (core_pattern is {earlier.text!r}): --replace takes"
        " its place, --replace --forward hands it the redacted cores"
    )


def _prepare(settings: Settings) -> None:
    """Make the directories that the service may write to; it may make none elsewhere."""
    from immure.capture.building import open_vault

    for directory in (settings.spool, settings.records):
        make_directory(Path(directory))
    Path(settings.vault).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    open_vault(settings)


def _below(root: Path, path: Path) -> Path:
    return root / path.relative_to("/")


def _write(root: Path, path: Path, text: str) -> str:
    target = _below(root, path)
    try:
        private = path in (EARLIER,)
        target.parent.mkdir(mode=0o700 if private else 0o755, parents=True, exist_ok=True)
        write_whole(target, text.encode(), mode=0o600 if private else 0o644)
    except OSError as error:
        raise CaptureError(f"cannot be written: {error.strerror}", path=str(target)) from error
    return f"written: {target}"


def _remove(root: Path, path: Path) -> str | None:
    target = _below(root, path)
    try:
        target.unlink()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CaptureError(f"cannot be removed: {error.strerror}", path=str(target)) from error
    return f"removed: {target}"


def _start_service() -> list[str]:
    if not _SYSTEMD.is_dir():
        return ["there is no systemd here: start `immure capture serve` yourself, or there will be no cores"]
    return [*_systemctl("daemon-reload"), *_systemctl("enable", "--now", UNIT_NAME, must=True)]


def _systemctl(*words: str, must: bool = False) -> list[str]:
    """Run systemctl, if this system has systemd.

    Raises:
        CaptureError: it ``must`` succeed, and did not.
    """
    if not _SYSTEMD.is_dir():
        return []
    done = subprocess.run(["systemctl", *words], capture_output=True, text=True, check=False)  # noqa: S603, S607
    if done.returncode and must:
        raise CaptureError(f"systemctl {' '.join(words)}: {done.stderr.strip()[-400:]}")
    return [f"systemctl {' '.join(words)}" + (" (failed)" if done.returncode else "")]


_CONFIG_HEAD: Final = """\
# Settings of `immure capture`, see https://immure.example/docs/reference/capture
# After a change: systemctl restart immure-capture
"""
