"""An incident on a desk: a key, settings, approvers, and commands to run."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from immure.cli.main import run as run_immure
from immure.clock import now
from immure.custody import open_signer
from immure.custody.generate import generate
from immure.response.incident import Incident
from immure.response.radius import TenantImpact
from response.notification.making import add_radius, opened, radius

NOTIFY = """\
version = 1

[sender]
name = "Example Login"
address = "security@login.example"

[smtp]
host = "127.0.0.1"
port = 25
tls = "none"

[sending]
attempts = 1

[tenants.contoso]
language = "de"
mail = ["it@contoso.example", "ceo@contoso.example"]
"""


class Result(NamedTuple):
    code: int
    out: str
    err: str


class Desk:
    """The directory that the commands run in."""

    def __init__(
        self,
        folder: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        *tenants: TenantImpact,
    ) -> None:
        monkeypatch.chdir(folder)
        monkeypatch.setenv("IMMURE_INCIDENT_KEY", "file:incident.key")
        monkeypatch.setenv("IMMURE_ACTOR", "ann")
        self._capsys = capsys
        generate("incident.key")
        opened(Path("incident"), open_signer("file:incident.key"), now, *tenants)
        self.settings(25)

    def settings(self, port: int) -> None:
        Path("notify.toml").write_text(NOTIFY.replace("port = 25", f"port = {port}"))

    def incident(self) -> Incident:
        return Incident.load(Path("incident"), key=open_signer("file:incident.key"))

    def add_radius(self, *tenants: TenantImpact) -> int:
        return add_radius(self.incident(), radius(*tenants))

    def run(self, *arguments: str) -> Result:
        """Run ``immure respond``; what it says of trial keys is left out."""
        code = run_immure(["respond", *arguments])
        out, err = self._capsys.readouterr()
        kept = [line for line in err.splitlines(keepends=True) if "note: file:" not in line]
        return Result(code, out, "".join(kept))

    def letters(self) -> str:
        """Write letters; their digest."""
        return self.run("letters", "incident", "--settings", "notify.toml", "-q").out.strip()
