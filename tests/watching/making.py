"""Keys, trees, repositories and images for the tests of the watch."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from immure.clock import now
from immure.keymaterial.key import Origin, PublicKey
from immure.keymaterial.private import okp_from_seed
from immure.scanning.options import ScanOptions
from immure.watching.item import Source
from immure.watching.question import ask
from immure.watching.result import Gathering, Result
from immure.watching.rules.judging import Rules
from immure.watching.sources.opening import open_source
from immure.watching.state import State
from immure.watching.watch import Watch


@dataclass(frozen=True)
class Made:
    """A key, in the forms in which the tests hide it."""

    pem: bytes
    der: bytes
    public: PublicKey
    seed: bytes = b""

    @property
    def name(self) -> str:
        return self.public.thumbprint


def ed25519_key() -> Made:
    key = ed25519.Ed25519PrivateKey.generate()
    seed = key.private_bytes_raw()
    return _made(key, PublicKey(okp_from_seed("Ed25519", seed).public, Origin("test")), seed)


def rsa_key() -> Made:
    from immure.keymaterial.key import RsaNumbers

    key = rsa.generate_private_key(65537, 2048)
    numbers = key.public_key().public_numbers()
    return _made(key, PublicKey(RsaNumbers(numbers.n, numbers.e), Origin("test")))


def _made(key: ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey, public: PublicKey, seed: bytes = b"") -> Made:
    def encoded(encoding: serialization.Encoding) -> bytes:
        return key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())

    return Made(encoded(serialization.Encoding.PEM), encoded(serialization.Encoding.DER), public, seed)


def write_tree(top: Path, files: Mapping[str, bytes], *, old: bool = True) -> None:
    """Write files; as if that were an hour ago, so that their stamps can be relied on."""
    for name, data in files.items():
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        if old:
            make_old(path)


def make_old(path: Path) -> None:
    past = time.time() - 3600
    os.utime(path, (past, past))


def git(repository: Path, *arguments: str, data: bytes | None = None) -> str:
    environment = {
        **os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "a",
        "GIT_AUTHOR_EMAIL": "a@example", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example",
    }  # fmt: skip
    done = subprocess.run(
        ["git", *arguments], cwd=repository, env=environment, input=data, capture_output=True, check=True
    )
    return done.stdout.decode()


def commit(repository: Path, files: Mapping[str, bytes], message: str = "work") -> str:
    write_tree(repository, files)
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "--allow-empty", "-m", message)
    return git(repository, "rev-parse", "HEAD").strip()


def tar_of(files: Mapping[str, bytes], mode: str = "w") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:  # type: ignore[call-overload]
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def look(
    *targets: Path | str | Source,
    state: State | None = None,
    keys: tuple[Made, ...] = (),
    options: ScanOptions | None = None,
    rules: Rules | None = None,
) -> Result:
    """A whole run."""
    state = state or State()
    question = ask([key.public for key in keys], options or ScanOptions(threads=1))
    gathering, began = Gathering(state, question, rules or Rules()), now()
    for target in targets:
        source = target if isinstance(target, Source) else open_source(str(target))
        try:
            gathering.runs.append(Watch(state, question).run(source))
        finally:
            source.close()
    return gathering.result(began, now())


def places(result: Result) -> dict[str, set[str]]:
    """Thumbprint → full paths of open sightings."""
    return {
        finding.key.thumbprint: {sighting.full_path for sighting in finding.sightings}
        for finding in result.findings
    }
