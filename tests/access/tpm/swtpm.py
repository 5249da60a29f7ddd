"""TPMs in software, made as a vendor makes them: each with a certificate of its endorsement key."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from servers.program import Program, directory, found

_AUTHORITY = """\
statedir = {base}/authority
signingkey = {base}/authority/key.pem
issuercert = {base}/authority/issuer.pem
certserial = {base}/authority/serial
"""
_SETUP = """\
create_certs_tool = {tool}
create_certs_tool_config = {base}/authority.conf
create_certs_tool_options = {base}/authority.options
"""
_OPTIONS = "--platform-manufacturer Example\n--platform-version 1\n--platform-model Laptop\n"


@dataclass(frozen=True)
class Vendor:
    """Who makes TPMs, and vouches for them. Its root has signed ``issuer``, which signs the TPMs."""

    base: Path

    @property
    def root(self) -> str:
        return (self.base / "authority" / "swtpm-localca-rootca-cert.pem").read_text()

    @property
    def issuer(self) -> Path:
        return self.base / "authority" / "issuer.pem"

    @contextmanager
    def tpm(self, name: str) -> Iterator[Path]:
        """A TPM of this vendor that runs; its socket."""
        state = self.base / name
        state.mkdir()
        setup = found("swtpm_setup", "Debian: swtpm-tools")
        arguments = ["--tpm2", "--tpmstate", f"dir://{state}", "--create-ek-cert"]
        done = subprocess.run(
            [setup, *arguments, "--config", str(self.base / "setup.conf")],
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        path = self.base / f"{name}.sock"
        command = [found("swtpm", "Debian: swtpm"), "socket", "--tpm2", "--tpmstate", f"dir={state}"]
        command += ["--server", f"type=unixio,path={path}", "--ctrl", f"type=unixio,path={path}.ctrl"]
        command += ["--flags", "not-need-init,startup-clear"]
        with Program(command, log=self.base / f"{name}.log") as program:
            end = time.monotonic() + 30
            while not path.exists():
                assert time.monotonic() < end, program.printed()
                time.sleep(0.01)
            yield path


@contextmanager
def vendor() -> Iterator[Vendor]:
    """A vendor, and a directory in which its TPMs are."""
    tool = found("swtpm_localca", "Debian: swtpm-tools", "/usr/bin", "/usr/share/swtpm")
    with directory() as base:
        (base / "authority").mkdir()
        (base / "authority.conf").write_text(_AUTHORITY.format(base=base))
        (base / "authority.options").write_text(_OPTIONS)
        (base / "setup.conf").write_text(_SETUP.format(base=base, tool=tool))
        yield Vendor(base)
