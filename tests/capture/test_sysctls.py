from __future__ import annotations

from pathlib import Path

import pytest

from immure.capture.sysctls import configured_pattern

A, B = "kernel.core_pattern = a", "kernel.core_pattern = b"
USR_50, USR_90 = "usr/lib/sysctl.d/50-a.conf", "usr/lib/sysctl.d/90-a.conf"
ETC_50, ETC_60 = "etc/sysctl.d/50-a.conf", "etc/sysctl.d/60-b.conf"
SYSTEMD = "|/usr/lib/systemd/systemd-coredump %P %u %g %s %t %c %h %d"


@pytest.mark.parametrize(
    ("files", "pattern"),
    [
        ({}, None),
        ({"usr/lib/sysctl.d/50-coredump.conf": f"# cores\nkernel.core_pattern={SYSTEMD}\n"}, SYSTEMD),
        ({USR_50: A, ETC_60: B}, "b"),
        ({USR_90: A, ETC_60: B}, "a"),
        ({USR_50: A, "etc/sysctl.d/50-a.conf": "# masked"}, None),
        ({"etc/sysctl.d/50-a.conf": "-kernel/core_pattern=a\n kernel.core_pattern = b \n"}, "b"),
        ({ETC_50: A, "etc/sysctl.conf": "kernel.core_pattern = c"}, "c"),
        ({"etc/sysctl.d/50-a.conf": "#kernel.core_pattern = a\nkernel.core_pattern_x = b"}, None),
        ({"etc/sysctl.d/60-ours.conf": "kernel.core_pattern = @/run/immure/core.sock"}, None),
        ({"etc/sysctl.d/50-a.conf": "\xff\x00kernel.core_pattern"}, None),
    ],
)  # fmt: skip
def test_what_a_system_sets(tmp_path: Path, files: dict[str, str], pattern: str | None) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="latin-1")
    assert configured_pattern(tmp_path, leave_out="60-ours.conf") == pattern


def test_a_link_that_leads_nowhere_sets_nothing(tmp_path: Path) -> None:
    (tmp_path / "etc/sysctl.d").mkdir(parents=True)
    (tmp_path / "etc/sysctl.d/50-a.conf").symlink_to("/nowhere")
    assert configured_pattern(tmp_path) is None
