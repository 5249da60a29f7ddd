"""A bucket as destination, on a real server: whole or not at all, and never over another object."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

pytest.importorskip("s3fs", reason="the extra s3 is not installed")
pytest.importorskip("moto.server", reason="the tests of S3 need moto's server")

import boto3

from immure.errors import TransferError
from immure.transfer import open_destination
from immure.transfer.destinations.s3 import S3Destination
from immure.transfer.places import parse_place

from .material import DUMP, World, sha256
from .servers import s3_server

SECRET = "secret-that-must-not-be-shown"
MIB = 1 << 20
LARGE = os.urandom(6 * MIB)  # two parts


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with s3_server() as url:
        yield url


@pytest.fixture
def bucket(endpoint: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest):
    """A new bucket, and the settings of the AWS tools in the environment."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "access",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_CONFIG_FILE": "/nonexistent",
        "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
        "AWS_MAX_ATTEMPTS": "1",
        "NO_PROXY": "127.0.0.1",
    }.items():
        monkeypatch.setenv(name, value)
    name = f"dumps-{abs(hash(request.node.name))}"
    client = boto3.client("s3")
    client.create_bucket(Bucket=name)
    return Bucket(client, name)


class Bucket:
    def __init__(self, client, name: str) -> None:
        self.client = client
        self.name = name
        self.url = f"s3://{name}/debug/team"

    def objects(self) -> dict[str, bytes]:
        listed = self.client.list_objects_v2(Bucket=self.name).get("Contents", [])
        return {
            one["Key"]: self.client.get_object(Bucket=self.name, Key=one["Key"])["Body"].read()
            for one in listed
        }

    def uploads(self) -> int:
        return len(self.client.list_multipart_uploads(Bucket=self.name).get("Uploads", []))

    def put(self, data: bytes) -> None:
        self.client.put_object(Bucket=self.name, Key="debug/team/app.core", Body=data)


def stage(bucket: Bucket, data: bytes):
    there = S3Destination(parse_place(bucket.url), part_bytes=5 * MIB)
    begun = there.stage("app.core", len(data))
    for start in range(0, len(data), MIB):
        begun.write(data[start : start + MIB])
    begun.prepare()
    return begun


@pytest.mark.parametrize("data", [b"small", LARGE], ids=["one object", "multipart"])
def test_it_appears_whole_and_only_when_committed(bucket, data):
    with stage(bucket, data) as begun:
        assert bucket.objects() == {}
        assert begun.commit(sha256(data)) == "new"
    assert bucket.objects() == {"debug/team/app.core": data}
    with stage(bucket, data) as begun:
        assert begun.commit(sha256(data)) == "present"
    assert bucket.uploads() == 0


@pytest.mark.parametrize("data", [b"small", LARGE], ids=["one object", "multipart"])
def test_what_is_abandoned_is_gone(bucket, data):
    with stage(bucket, data):
        pass
    assert bucket.objects() == {}
    assert bucket.uploads() == 0


@pytest.mark.parametrize("data", [b"small", LARGE], ids=["one object", "multipart"])
@pytest.mark.parametrize("other", [b"other", b"a longer one", b""])
def test_another_object_of_that_name_stays(bucket, data, other):
    with stage(bucket, data) as begun:
        bucket.put(other)
        with pytest.raises(TransferError, match="another file of that name is there"):
            begun.commit(sha256(data))
    assert bucket.objects() == {"debug/team/app.core": other}


def test_somebody_else_is_quicker(bucket, monkeypatch):
    """The object comes between the look and the request; the store is asked not to replace it."""
    with stage(bucket, b"small") as begun:
        looked = begun._files.exists

        def look_and_lose(key: str) -> bool:
            there = looked(key)
            bucket.put(b"other")
            return there

        monkeypatch.setattr(begun._files, "exists", look_and_lose)
        with pytest.raises(TransferError, match="another file of that name is there"):
            begun.commit(sha256(b"small"))
    assert bucket.objects() == {"debug/team/app.core": b"other"}


@pytest.mark.parametrize("data", [b"small", LARGE], ids=["one object", "multipart"])
def test_a_bucket_that_is_not_there(bucket, data):
    bucket.url = "s3://no-such-bucket/x"

    def go() -> None:
        with stage(bucket, data) as begun:
            begun.commit(sha256(data))

    with pytest.raises(TransferError, match="there is no such bucket") as caught:
        go()
    assert SECRET not in str(caught.value)


def test_a_server_that_is_not_there(bucket, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with (
        pytest.raises(TransferError, match="the store cannot take it") as caught,
        stage(bucket, b"x") as begun,
    ):
        begun.commit(sha256(b"x"))
    assert SECRET not in str(caught.value)


def test_a_release_into_a_bucket(bucket, world: World):
    world.write_policy(f"file://{world.out}", "s3://" + bucket.name + "/debug/*")
    receipt = world.release(open_destination(bucket.url))
    assert bucket.objects() == {"debug/team/app.core": DUMP}
    assert receipt.to_json()["destination"] == bucket.url
    assert world.kinds() == ["release.allowed", "release.done"]


def test_a_bucket_that_vanishes_half_way(bucket, world: World):
    world.write_policy(f"file://{world.out}", bucket.url)

    def go() -> None:
        for step in world.gate().steps(world.request(open_destination(bucket.url))):
            if step.name == "PREPARED":
                bucket.client.delete_bucket(Bucket=bucket.name)

    with pytest.raises(TransferError, match=r"no such bucket|cannot take it"):
        go()
    assert world.kinds() == ["release.allowed", "release.failed"]
    assert world.vault.verify("sha256:" + sha256(DUMP))
