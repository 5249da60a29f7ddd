"""The texts that ``install`` writes: a sysctl drop-in, and a systemd unit.

>>> print(sysctl_text(Pattern("@@/run/immure/core.sock"), None).splitlines()[-1])
kernel.core_pattern = @@/run/immure/core.sock
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from immure.capture.pattern import Pattern
from immure.capture.settings import CONFIG, Settings
from immure.dumps.limits import MIB

SYSCTL: Final = Path("/etc/sysctl.d/60-immure-capture.conf")
UNIT: Final = Path("/etc/systemd/system/immure-capture.service")
UNIT_NAME: Final = UNIT.name
#: Above spools: buffers, a scan, the interpreter.
_WORK_BYTES: Final = 768 * MIB
_STATE: Final = "/var/lib/immure"


def sysctl_text(pattern: Pattern, pipe_limit: int | None) -> str:
    """The drop-in. Its number is above that of systemd-coredump (50), so that it is read later."""
    lines = [
        "# Written by `immure capture install`; `immure capture uninstall` removes it.",
        "# Crashes go to immure-capture.service. While that does not run there are no cores at all.",
    ]
    if pipe_limit is not None:
        lines.append(f"kernel.core_pipe_limit = {pipe_limit}")
    # a pattern that begins with - would be taken for an option, and % stands for itself here
    return "\n".join([*lines, f"kernel.core_pattern = {pattern.text}", ""])


def unit_text(settings: Settings, program: str) -> str:
    """The service, which may do nothing but take cores in, look at crashed processes and write to its own
    directories."""
    return _UNIT.format(
        program=program,
        config=CONFIG,
        memory=memory_max(settings) // MIB,
        writable=_writable(settings),
        network="" if _needs_network(settings) else _NO_NETWORK,
        more="" if settings.forward_to is None else _FORWARDING,
    )


def memory_max(settings: Settings) -> int:
    """What the service may take in all."""
    return settings.memory_bytes + _WORK_BYTES


def _writable(settings: Settings) -> str:
    """The directories besides that of the service, which exist by then."""
    inside = f"{_STATE}/"
    others = {
        path for path in (settings.vault, settings.records, settings.spool) if not path.startswith(inside)
    }
    return f"ReadWritePaths={' '.join(sorted(others))}\n" if others else ""


def _needs_network(settings: Settings) -> bool:
    """Whether public keys are fetched when it starts."""
    return any("://" in source for source in settings.keys)


_NO_NETWORK: Final = """PrivateNetwork=yes
RestrictAddressFamilies=AF_UNIX
IPAddressDeny=any
"""
_FORWARDING: Final = """# for the program that gets the redacted cores:
CapabilityBoundingSet=CAP_DAC_OVERRIDE CAP_CHOWN CAP_FOWNER CAP_SETUID CAP_SETGID
ReadWritePaths=-/var/lib/systemd/coredump -/var/crash
"""
_UNIT: Final = """\
# Written by `immure capture install`; `immure capture uninstall` removes it.
[Unit]
Description=Immure: takes in core dumps and seals them
Documentation=https://immure.example/docs/reference/capture
RequiresMountsFor=/var/lib/immure {program}

[Service]
Type=notify
ExecStart={program} capture serve --config {config}
Restart=always
RestartSec=1
TimeoutStopSec=120
RuntimeDirectory=immure
RuntimeDirectoryMode=0700
StateDirectory=immure
StateDirectoryMode=0700
{writable}UMask=0077

# its memory holds cores: it has none itself, is not swapped out, and is bounded
LimitCORE=0
LimitMEMLOCK=infinity
LimitNOFILE=8192
MemorySwapMax=0
MemoryMax={memory}M
OOMPolicy=stop

# it reads /proc of any process that crashes, and locks its memory; nothing else
CapabilityBoundingSet=CAP_SYS_PTRACE CAP_DAC_READ_SEARCH CAP_IPC_LOCK CAP_SYS_NICE
AmbientCapabilities=
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=read-only
PrivateTmp=yes
PrivateDevices=yes
PrivateIPC=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
{network}{more}
[Install]
WantedBy=multi-user.target
"""
