"""An object store, on a real server (moto's S3)."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("s3fs", reason="NOT TESTED: the extra s3 is not installed")
pytest.importorskip("moto.server", reason="NOT TESTED: needs moto's server")

import boto3

from immure.watching.errors import SourceError
from immure.watching.sources.objects import Objects
from immure.watching.state import State

from .making import Made, look, places, tar_of
from .s3 import s3_server

SECRET = "secret-that-must-not-be-shown"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with s3_server() as url:
        yield url


@pytest.fixture
def bucket(endpoint: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Any:
    """A bucket's client and name, and the settings of the AWS tools in the environment."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "access", "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": endpoint, "AWS_EC2_METADATA_DISABLED": "true",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    client, name = boto3.client("s3"), f"b{abs(hash(request.node.name))}"
    client.create_bucket(Bucket=name)

    class Bucket:
        url = f"s3://{name}"

        def put(self, key: str, data: bytes) -> None:
            client.put_object(Bucket=name, Key=key, Body=data)

        def delete(self, key: str) -> None:
            client.delete_object(Bucket=name, Key=key)

    return Bucket()


def test_objects_small_large_and_packed(bucket: Any, key: Made, other: Made) -> None:
    bucket.put("2026/a/k.pem", key.pem)
    bucket.put(
        "2026/b/dump.tar.gz", tar_of({"core": bytes(3 << 20) + other.pem + os.urandom(2 << 20)}, "w:gz")
    )
    bucket.put("2026/big", os.urandom(1 << 20) + bytes(6 << 20) + key.pem + bytes(1 << 20))
    bucket.put("2025/k.pem", other.pem)
    result = look(f"{bucket.url}/2026")
    assert places(result) == {key.name: {"a/k.pem", "big"}, other.name: {"b/dump.tar.gz!core"}}
    assert result.runs[0].items == 3


def test_what_is_known_is_not_transferred_again(
    bucket: Any, key: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.put("small", key.pem)
    bucket.put("big", bytes(2 << 20) + key.pem)
    state = State()
    look(bucket.url, state=state)

    def refuse(self: object, *names: object) -> None:
        raise AssertionError("nothing has to be read")

    monkeypatch.setattr(Objects, "_open", refuse)
    result = look(bucket.url, state=state)
    assert result.runs[0].scanned == 0
    assert places(result) == {key.name: {"small", "big"}}
    bucket.delete("big")
    assert [one.path for one in look(bucket.url, state=state).gone] == ["big"]


def test_an_object_that_changes_is_scanned_again(bucket: Any, key: Made, other: Made) -> None:
    state = State()
    for data, found in ((key.pem, key), (other.pem, other)):
        bucket.put("big", bytes(2 << 20) + data)
        assert set(places(look(bucket.url, state=state))) == {found.name}


def test_one_object(bucket: Any, key: Made) -> None:
    bucket.put("d/k.pem", key.pem)
    assert places(look(f"{bucket.url}/d/k.pem")) == {key.name: {"k.pem"}}


def test_names_that_steer_terminals(bucket: Any, key: Made) -> None:
    bucket.put("d/\x1b[31m k", key.pem)
    assert places(look(bucket.url)) == {key.name: {"d/\\x1b[31m k"}}


def test_a_bucket_that_is_not_there_and_a_wrong_endpoint(
    bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for url in ("s3://nowhere-to-be-found/x", bucket.url):
        result = look(url)
        assert not result.complete
        assert SECRET not in str(result.runs)
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")


def test_an_object_that_goes_away_in_mid_run_is_told(bucket: Any, key: Made) -> None:
    bucket.put("a", key.pem)
    bucket.put("b", bytes(2 << 20))
    source = Objects(bucket.url)
    items = source.items()
    first, second = next(items), next(items)
    bucket.delete("b")

    class Listed(type(source)):  # type: ignore[misc]
        def __init__(self) -> None:
            self.name = source.name

        def items(self) -> Any:
            return iter((first, second))

    result = look(Listed())
    assert set(places(result)) == {key.name}
    assert not result.complete


@pytest.mark.parametrize(
    "url", ["ftp://host/x", "s3://", "simplecache::s3://b/x", "s3://b/x\n", "file:///etc", "memory://x"]
)
def test_urls_that_are_refused(url: str) -> None:
    with pytest.raises(SourceError):
        Objects(url)


@pytest.mark.parametrize(("url", "package"), [("gs://b/x", "gcsfs"), ("az://b/x", "adlfs")])
def test_a_package_that_is_missing_is_named(url: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules["fsspec.registry"]._registry, url[:2], raising=False)
    with pytest.raises(SourceError, match=f"pip install {package}"):
        Objects(url)


def test_a_transfer_that_breaks_off_is_made_again(
    bucket: Any, key: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.put("big", bytes(5 << 20) + key.pem + bytes(1 << 20))
    whole = Objects._pieces

    def broken(self: Objects, name: str) -> Iterator[bytes]:
        for number, piece in enumerate(whole(self, name)):
            if number:
                raise SourceError("the store says: connection lost")
            yield piece

    state = State()
    with monkeypatch.context() as patched:
        patched.setattr(Objects, "_pieces", broken)
        first = look(bucket.url, state=state)
    assert not first.complete
    assert any("connection lost" in trouble.reason for trouble in first.runs[0].troubles)
    second = look(bucket.url, state=state)
    assert second.complete
    assert places(second) == {key.name: {"big"}}
