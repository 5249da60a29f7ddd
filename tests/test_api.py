"""The front door of the library."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import immure
from immure.errors import ImageError, KeySourceError, UsageError
from immure.keymaterial.key import PublicKey
from scanning.material import PAGE, forms, planted, public


@pytest.fixture
def core(tmp_path: Path) -> Path:
    path = tmp_path / "memory.raw"
    path.write_bytes(planted(forms("P-256")["d", "be"], PAGE))
    return path


@pytest.fixture
def jwks(tmp_path: Path) -> Path:
    path = tmp_path / "jwks.json"
    path.write_text(
        json.dumps({"keys": [public(kind).to_jwk() | {"kid": kind} for kind in ("P-256", "RSA-1024")]})
    )
    return path


KEYS: list[tuple[str, Callable[[Path], object]]] = [
    ("a path", lambda jwks: jwks),
    ("a text", str),
    ("a key", lambda _: public("P-256")),
    ("a list of paths", lambda jwks: [jwks]),
    ("a mixture", lambda jwks: [public("P-256"), str(jwks)]),
    ("an iterator", lambda jwks: iter([jwks])),
]


@pytest.mark.parametrize("make", [row[1] for row in KEYS], ids=[row[0] for row in KEYS])
def test_keys_may_be_given_in_many_ways(make: Callable[[Path], object], core: Path, jwks: Path) -> None:
    [finding] = immure.scan(core, keys=make(jwks))  # type: ignore[arg-type]
    assert (finding.key.numbers, finding.kind) == (public("P-256").numbers, "named")


@pytest.mark.parametrize("several", [False, True])
def test_targets_may_be_one_or_several(several: bool, core: Path) -> None:
    targets = [core, str(core)] if several else core
    report = immure.scan_report(targets, keys=public("P-256"))
    assert [len(image.findings) for image in report.images] == [1] * (1 + several)
    assert len(report.findings) == 1 + several
    assert report.keys == [public("P-256")]
    assert report.statistics["images"] == 1 + several


def test_load_keys(jwks: Path) -> None:
    keys = immure.load_keys(jwks)
    assert all(isinstance(key, PublicKey) for key in keys)
    assert [key.origin.kid for key in keys] == ["P-256", "RSA-1024"]


def test_nothing_is_scanned_before_it_is_asked_for_but_options_are_checked_at_once(core: Path) -> None:
    with pytest.raises(UsageError):
        immure.scan(core, options=immure.ScanOptions(threads=0))
    with pytest.raises(UsageError):
        immure.scan_report(core, options=immure.ScanOptions(detectors=("nonsense",)))


def test_what_cannot_be_read_raises_last(core: Path, tmp_path: Path) -> None:
    findings = immure.scan([tmp_path / "absent", core], keys=public("P-256"))
    assert next(findings).key.label == "P-256"
    with pytest.raises(ImageError) as caught:
        next(findings)
    assert caught.value.path == str(tmp_path / "absent")
    report = immure.scan_report([tmp_path / "absent", core], keys=public("P-256"))
    assert [image.error is None for image in report.images] == [False, True]
    assert not report.complete


def test_a_source_without_keys_is_an_error(core: Path, tmp_path: Path) -> None:
    with pytest.raises(KeySourceError):
        immure.load_keys(tmp_path / "absent.json")
    with pytest.raises(KeySourceError):
        list(immure.scan(core, keys=tmp_path / "absent.json"))


class Recorder:
    def __init__(self) -> None:
        self.events: list[tuple[str, object]] = []

    def start(self, path: str, total: int | None) -> None:
        self.events.append(("start", total))

    def phase(self, name: str) -> None:
        self.events.append(("phase", name))

    def advance(self, count: int) -> None:
        self.events.append(("advance", count))

    def finish(self, path: str) -> None:
        self.events.append(("finish", path))


def test_progress_is_told_in_order(core: Path, capfd: pytest.CaptureFixture[str]) -> None:
    recorder = Recorder()
    list(immure.scan(core, keys=public("P-256"), progress=recorder))
    size = core.stat().st_size
    phases = [value for name, value in recorder.events if name == "phase"]
    assert recorder.events[0] == ("start", size)
    assert recorder.events[-1] == ("finish", str(core))
    assert phases[:2] == ["survey", "search"]
    first = recorder.events[2 : recorder.events.index(("phase", "search"))]
    assert sum(int(str(count)) for name, count in first if name == "advance") == size
    assert capfd.readouterr() == ("", "")
