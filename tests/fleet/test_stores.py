"""Images in object stores, on real servers of S3, Google Cloud Storage and Azure, and in fsspec's memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from immure.errors import UsageError
from immure.fleet import store
from immure.fleet.engines import open_engine
from immure.fleet.errors import StoreError
from immure.fleet.policy import Patience
from immure.fleet.store import check_unchanged, list_places, open_place
from immure.fleet.tasks import Place
from immure.scanning.options import ScanOptions
from immure.synth import plant
from scanning.material import forms, public
from servers.objects import azure_store, google_store, has_azurite, s3_store

from .making import KIB, assert_each_byte_once, quiet_memory, scan_on

OPTIONS = ScanOptions(chunk_bytes=32 * KIB, threads=1)
KEY = public("RSA-1024")


def image() -> bytes:
    memory = quiet_memory(300 * KIB)
    plant(memory, 96 * KIB - 24, forms("RSA-1024")["p", "le64"])
    return bytes(memory)


class Environment:
    """Sets the environment of a module's tests, and forgets drivers that knew another."""

    def __init__(self, values: dict[str, str]) -> None:
        self.patch = pytest.MonkeyPatch()
        for name, value in values.items():
            self.patch.setenv(name, value)
        store._driver.cache_clear()

    def undo(self) -> None:
        self.patch.undo()
        store._driver.cache_clear()


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    with s3_store() as values:
        environment = Environment(values)
        files = fsspec.filesystem("s3")
        files.mkdir("dumps")
        yield "s3://dumps"
        environment.undo()


@pytest.fixture(scope="module")
def gs() -> Iterator[str]:
    with google_store() as values:
        environment = Environment(values)
        files = fsspec.filesystem("gs", token="anon")
        files.mkdir("dumps")
        yield "gs://dumps"
        environment.undo()


@pytest.fixture(scope="module")
def az(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if not has_azurite():
        pytest.skip("NOT TESTED: az:// needs azurite-blob (npm install -g azurite)")
    with azure_store(tmp_path_factory.mktemp("azurite")) as values:
        environment = Environment(values)
        files = fsspec.filesystem("az")
        files.mkdir("dumps")
        yield "az://dumps"
        environment.undo()


@pytest.fixture
def memory() -> Iterator[str]:
    files = fsspec.filesystem("memory")
    yield "memory://dumps"
    files.store.clear()


def put(url: str, data: bytes) -> None:
    with fsspec.open(url, "wb") as stream:
        stream.write(data)


@pytest.fixture(params=["s3", "gs", "az", "memory"])
def bucket(request: pytest.FixtureRequest) -> str:
    url: str = request.getfixturevalue(request.param)
    return url


def test_images_in_a_store_are_found_cut_and_whole(bucket: str) -> None:
    put(f"{bucket}/2026/a/core", image())
    put(f"{bucket}/2026/b/small", image()[90 * KIB : 110 * KIB])
    put(f"{bucket}/2025/old", image())
    put(f"{bucket}/2026/empty", b"")
    with open_engine("threads:2") as engine:
        report = scan_on(engine, [f"{bucket}/2026"], [KEY], OPTIONS, 96 * KIB)
    found = {one.path: one for one in report.scan.images}
    assert set(found) == {f"{bucket}/2026/{name}" for name in ("a/core", "b/small", "empty")}
    assert [len(one.findings) for _, one in sorted(found.items())] == [1, 1, 0]
    assert found[f"{bucket}/2026/a/core"].findings[0].occurrences[0].offset == 96 * KIB - 24
    assert_each_byte_once(report)
    with open_engine("threads:1") as engine:
        one = scan_on(engine, [f"{bucket}/2026/a/core"], [KEY], OPTIONS, 96 * KIB)
    assert one.scan.images[0].findings == found[f"{bucket}/2026/a/core"].findings


def test_what_is_not_there_is_told(bucket: str) -> None:
    with open_engine("threads:1") as engine:
        report = scan_on(engine, [f"{bucket}/nothing-here"], [KEY], OPTIONS)
    assert not report.scan.complete
    assert report.scan.images[0].error


def test_an_object_that_is_replaced_is_noticed(bucket: str) -> None:
    url = f"{bucket}/replaced/core"
    put(url, image())
    (place,) = list_places(url)
    assert isinstance(place, Place)
    check_unchanged(place)
    # fsspec's memory does not say when an object was made
    put(url, image()[::-1] if place.stamp else image()[:-1])
    with pytest.raises(StoreError, match="was changed while it was scanned"):
        check_unchanged(place)


@pytest.mark.drill
def test_processes_read_the_store_themselves(s3: str) -> None:
    put(f"{s3}/processes/core", image())
    with open_engine("processes:2") as engine:
        report = scan_on(engine, [f"{s3}/processes"], [KEY], OPTIONS, 96 * KIB)
    assert len(report.scan.findings) == 1
    assert_each_byte_once(report)


def test_a_store_that_fails_in_the_midst_of_an_archive_is_no_broken_archive(
    memory: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parsers take every error for the file's; the store's are told and tried again."""
    import io
    import tarfile

    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        member = tarfile.TarInfo("core")
        member.size = len(image())
        archive.addfile(member, io.BytesIO(image()))
    put(f"{memory}/a.tar", stream.getvalue())
    driver = store._driver("memory", store.os.getpid())
    plain, calls = driver.cat_file, []

    def flaky(path: str, **more: int) -> bytes:
        calls.append(path)
        if len(calls) == 1:
            raise ConnectionResetError("connection reset by peer")
        return bytes(plain(path, **more))

    monkeypatch.setattr(driver, "cat_file", flaky)
    with open_engine("threads:1") as engine:
        report = scan_on(engine, [memory], [KEY], OPTIONS, 1 << 20, patience=Patience(backoff_seconds=0.05))
    assert [image.error for image in report.scan.images] == [None]
    assert report.account.images[0].ranges[0].attempts == 2
    assert len(report.scan.findings) == 1


@pytest.mark.parametrize(
    "target",
    ["-", "pid:1", "ftp://host/x", "s3://", "simplecache::s3://b/x", "s3://b/x\n", "http://169.254.169.254/"],
)
def test_targets_that_are_refused(target: str) -> None:
    with pytest.raises(UsageError):
        list(list_places(target))


@pytest.mark.parametrize(
    ("url", "package"), [("s3://b/x", "immure[s3]"), ("gs://b/x", "gcsfs"), ("az://b/x", "adlfs")]
)
def test_a_package_that_is_missing_is_named(url: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    for name in ("s3fs", "gcsfs", "adlfs"):
        monkeypatch.setitem(sys.modules, name, None)
    for scheme in ("s3", "gs", "az"):
        monkeypatch.delitem(sys.modules["fsspec.registry"]._registry, scheme, raising=False)
    store._driver.cache_clear()
    with pytest.raises(UsageError, match="pip install"):
        list(list_places(url))
    store._driver.cache_clear()


def test_a_file_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        open_place(Place(str(tmp_path / "gone"), 10), 1 << 20)
    with pytest.raises(StoreError):
        check_unchanged(Place(str(tmp_path / "gone"), 10))
