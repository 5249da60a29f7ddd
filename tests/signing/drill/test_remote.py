"""The drill of services whose keys are elsewhere: in moto's KMS, and in a server with the API of transit.

Both servers run in the process of the test, so what is drilled is the front end: that nothing of a key, which
the server has and the drill knows, ever comes into its memory or its files.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from tests.custody import kms_server, transit_server
from tests.custody.kms_server import Kms
from tests.custody.transit_server import Transit

from immure.cli.drill_signer import _kernel_cores
from immure.custody.algorithms import Algorithm
from immure.signing.drill.backend import Backend
from immure.signing.drill.backends import BACKENDS
from immure.signing.drill.canaries import Canary
from immure.signing.drill.house import House
from immure.signing.drill.running import Options, drill_signer
from immure.signing.settings import Settings

#: moto's only account.
ACCOUNT = "123456789012"
CRASHES = int(os.environ.get("IMMURE_DRILL_CRASHES", "24"))
SPECS = {"RS256": "RSA_2048", "PS256": "RSA_2048", "ES256": "ECC_NIST_P256", "ES384": "ECC_NIST_P384"}
KINDS = {"RS256": "rsa-2048", "PS256": "rsa-2048", "ES256": "ecdsa-p256", "ES384": "ecdsa-p384"}
ALGORITHMS: tuple[tuple[Algorithm, Algorithm], ...] = (
    ("RS256", "ES256"),
    ("ES384", "RS256"),
    ("PS256", "ES256"),
)

pytestmark = [
    pytest.mark.drill,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(os.geteuid() != 0, reason="NOT TESTED: the drill reads memory as root"),
]


class AwsKms(Backend):
    """Keys of moto's KMS; the first one is replaced by the one that the drill knows."""

    name = "awskms"
    server: ClassVar[Kms]

    @property
    def custody(self) -> str:
        return self.server.uri(f"alias/{self.directory.parent.name}-")

    def prepare(self, house: House, settings: Settings, canary: Canary) -> None:
        from moto.kms.models import kms_backends

        made = self.server.make(SPECS[canary.algorithm])
        alias = f"alias/{self.directory.parent.name}-{house.first}"
        self.server.client.create_alias(AliasName=alias, TargetKeyId=made)
        key: Any = kms_backends[ACCOUNT][kms_server.REGION].keys[made]
        key.private_key.private_key = load_pem_private_key(canary.pem.reveal(), None)


class Vault(Backend):
    """Keys of the transit engine's stand-in; as above."""

    name = "vault"
    server: ClassVar[Transit]

    @property
    def custody(self) -> str:
        return self.server.uri("transit")

    def prepare(self, house: House, settings: Settings, canary: Canary) -> None:
        self.server.reset()
        made = transit_server.Key(KINDS[canary.algorithm], {})
        made.versions[1] = load_pem_private_key(canary.pem.reveal(), None)
        self.server.keys[house.first] = made


@pytest.fixture
def place() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="drill-") as directory:
        yield Path(directory)


def drilled(kind: type[Backend], place: Path) -> None:
    with pytest.MonkeyPatch.context() as patch, _kernel_cores(None, wanted=True) as cores:
        patch.setitem(BACKENDS, kind.name, kind)
        options = Options(crashes=CRASHES, seed=5, directory=str(place), cores=cores, algorithms=ALGORITHMS)
        report = drill_signer([kind.name], options)
    assert report.failed == {}
    assert report.leaks == [], [row.to_json() for row in report.leaks]
    assert report.blind == []
    rows = [row for row in report.rows if row.backend == kind.name]
    print(*(row.to_json() for row in rows), sep="\n")
    assert sum(row.crashes for row in rows if row.part != "files") == CRASHES
    assert sum(row.images for row in rows if row.part == "front end") > CRASHES // 4
    assert report.tokens > 0


def test_keys_in_kms(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kms_server.give_credentials(monkeypatch, place)
    with kms_server.serving() as AwsKms.server:
        drilled(AwsKms, place)


def test_keys_in_transit(place: Path, tmp_path: Path) -> None:
    with transit_server.serving(tmp_path) as Vault.server:
        drilled(Vault, place)
