"""The signing service under `immure drill signer`: some two hundred crashes of every backend that is here."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

pytestmark = [
    pytest.mark.drill,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(os.geteuid() != 0, reason="NOT TESTED: the drill reads memory as root"),
]


def test_nothing_is_left_where_nothing_may_be() -> None:
    backends = ("file+unsafe", "keyholder", "pkcs11", "pkcs11-inside")
    words = [word for name in backends for word in ("--backend", name)]
    command = [sys.executable, "-m", "immure", "drill", "signer", *words, "--count", "50", "--jobs", "4"]
    done = subprocess.run([*command, "--format", "json"], stdout=subprocess.PIPE, check=False)
    report = json.loads(done.stdout)
    assert report["leaks"] == 0, [row for row in report["rows"] if row["must_be_clean"]]
    assert report["blind"] == []
    assert report["failed"] == {}
    assert report["crashes"] == 200
    assert done.returncode == 0
