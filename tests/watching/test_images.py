"""Container images: every layer, and what the layers above delete."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest
import zstandard

from immure.dumps.limits import Limits
from immure.watching.sources import images
from immure.watching.sources.images import Archive
from immure.watching.sources.layers import hides, read_images
from immure.watching.state import State

from .making import Made, look, places, tar_of, write_tree


def docker_archive(*layers: bytes, tag: str = "app:1") -> dict[str, bytes]:
    names = [f"{hashlib.sha256(layer).hexdigest()}/layer.tar" for layer in layers]
    manifest = [{"Config": "config.json", "RepoTags": [tag], "Layers": names}]
    return dict(zip(names, layers, strict=True)) | {
        "config.json": json.dumps({"config": {"Env": ["A=b"]}}).encode(),
        "manifest.json": json.dumps(manifest).encode(),
    }


def oci_layout(*layers: bytes, config: bytes = b"{}", name: str = "app:1") -> dict[str, bytes]:
    files = {}

    def blob(data: bytes) -> dict[str, object]:
        digest = hashlib.sha256(data).hexdigest()
        files[f"blobs/sha256/{digest}"] = data
        return {"digest": f"sha256:{digest}", "size": len(data)}

    manifest = json.dumps({"config": blob(config), "layers": [blob(layer) for layer in layers]}).encode()
    index = {"manifests": [blob(manifest) | {"annotations": {"org.opencontainers.image.ref.name": name}}]}
    return files | {
        "index.json": json.dumps(index).encode(),
        "oci-layout": b'{"imageLayoutVersion": "1.0.0"}',
    }


def layers_with(key: Made) -> list[bytes]:
    """A key that the second layer deletes, and that the third layer has under another name."""
    return [
        tar_of({"app/key.pem": key.pem, "app/a": b"text"}),
        gzip.compress(tar_of({"app/.wh.key.pem": b"", "app/b": b"text"})),
        zstandard.compress(tar_of({"app/kept.pem": key.pem})),
    ]


def check(result: object, key: Made, prefix: str = "") -> None:
    details = {one.full_path.rpartition("!")[2]: one.detail for one in result.sightings}  # type: ignore[attr-defined]
    assert details == {
        "app/key.pem": "layer 1 of app:1, deleted or covered by layer 2", "app/kept.pem": "layer 3 of app:1"
    }  # fmt: skip
    assert all(one.path.startswith(prefix) for one in result.sightings)  # type: ignore[attr-defined]


def test_an_archive_of_docker_save(tmp_path: Path, key: Made) -> None:
    write_tree(tmp_path, {"app.tar": tar_of(docker_archive(*layers_with(key)))})
    check(look(tmp_path / "app.tar"), key)
    check(look(tmp_path), key, "app.tar/")


def test_an_oci_layout_as_directory_and_as_archive(tmp_path: Path, key: Made) -> None:
    files = oci_layout(*layers_with(key))
    write_tree(tmp_path, {f"layout/{name}": data for name, data in files.items()})
    write_tree(tmp_path, {"archive/app.oci": tar_of(files)})
    check(look(tmp_path / "layout"), key, "blobs/sha256/")
    check(look(tmp_path / "archive"), key, "app.oci/blobs/sha256/")


def test_a_compressed_archive_is_searched_though_its_layers_have_no_names(tmp_path: Path, key: Made) -> None:
    write_tree(tmp_path, {"app.tar.gz": gzip.compress(tar_of(docker_archive(*layers_with(key))))})
    assert len(places(look(tmp_path))[key.name]) == 2


def test_the_environment_in_a_configuration(tmp_path: Path, key: Made) -> None:
    config = json.dumps({"config": {"Env": [f"KEY={key.pem.decode()}"]}}).encode()
    write_tree(tmp_path, {f"l/{name}": data for name, data in oci_layout(config=config).items()})
    (sighting,) = look(tmp_path / "l").sightings
    assert sighting.detail == "configuration of app:1"


def test_a_layer_that_is_known_is_not_scanned_again(tmp_path: Path, key: Made) -> None:
    base, top = layers_with(key)[:2]
    write_tree(tmp_path, {"one.tar": tar_of(docker_archive(base))})
    state = State(tmp_path / "state")
    look(tmp_path / "one.tar", state=state)
    write_tree(tmp_path, {"two.tar": tar_of(docker_archive(base, top))})
    result = look(tmp_path / "two.tar", state=state)
    assert result.runs[0].items == 4
    assert result.runs[0].scanned == 2, "the layer on top and the manifest"
    assert len(result.sightings) == 1


def test_a_layer_that_no_manifest_names_and_one_that_lies_about_its_digest(
    tmp_path: Path, key: Made, other: Made
) -> None:
    files = oci_layout(tar_of({"a": b"text"}))
    files["blobs/sha256/" + "0" * 64] = tar_of({"orphan": key.pem})
    liar = next(name for name, data in files.items() if data.startswith(b"a\0"))
    write_tree(tmp_path, {f"l/{name}": data for name, data in files.items()})
    state = State(tmp_path / "state")
    look(tmp_path / "l", state=state)
    write_tree(tmp_path, {f"l/{liar}": tar_of({"a": other.pem})}, old=False)
    assert set(places(look(tmp_path / "l", state=state))) == {key.name, other.name}


@pytest.mark.parametrize(
    ("member", "path", "hidden"),
    [
        ("app/.wh.key", "app/key", True), ("./app/.wh.key", "app/key", True),
        ("app/.wh.key", "app/key2", False),
        ("app/.wh.d", "app/d/e/f", True), ("app/.wh..wh..opq", "app/d/e", True), (".wh..wh..opq", "x", True),
        ("app/.wh..wh..opq", "b/d", False), ("app/key", "app/key", True), ("app/key", "app/other", False),
    ],
)  # fmt: skip
def test_whiteouts(member: str, path: str, hidden: bool) -> None:
    assert hides(member, path) is hidden


@pytest.mark.parametrize(
    "files",
    [
        {"manifest.json": b"[[[[["}, {"manifest.json": b"{}"},
        {"manifest.json": b'[{"Layers": 5, "RepoTags": 7}]'},
        {"index.json": b'{"manifests": [{"digest": "sha256:../../../etc/passwd"}]}'},
        {"index.json": b'{"manifests": [{"digest": 5}, 6, {"digest": "sha256:a"}]}'},
        {"index.json": b"[" * 100_000}, {"manifest.json": b"\xff"},
    ],
)  # fmt: skip
def test_manifests_that_make_no_sense(files: dict[str, bytes]) -> None:
    assert not read_images(files.get).layers


def test_an_index_that_names_itself_has_an_end() -> None:
    index = json.dumps({"manifests": [{"digest": "sha256:a"}] * 3}).encode()
    assert not read_images(lambda name: index).layers


def test_an_ordinary_archive_is_no_image(tmp_path: Path) -> None:
    write_tree(tmp_path, {"a.tar": tar_of({"x": b"y"}), "b.tar": b"no archive", "c.tar": b""})
    assert not any(Archive.detect(str(tmp_path / name)) for name in ("a.tar", "b.tar", "c.tar", "none.tar"))


def test_an_archive_that_is_cut_off(tmp_path: Path, key: Made) -> None:
    data = tar_of(docker_archive(tar_of({"k": key.pem, "big": bytes(1 << 20)})) | {"z": bytes(100_000)})
    write_tree(tmp_path, {"a.tar": data[:-60_000]})
    result = look(tmp_path)
    assert list(places(result)) == [key.name]
    assert not result.complete


def test_every_member_of_an_archive_is_searched_though_another_has_its_name(
    tmp_path: Path, key: Made, other: Made
) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in (("manifest.json", b"[]"), ("k", key.pem), ("k", other.pem), ("k", b"text")):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    write_tree(tmp_path, {"image.tar": out.getvalue()})
    state = State(tmp_path.parent / f"{tmp_path.name}.state")
    for scanned in (4, 0):
        result = look(tmp_path, state=state)
        assert set(places(result)) == {key.name, other.name}
        assert result.complete
        assert result.runs[0].scanned == scanned


def test_members_beyond_the_limit_are_told(
    tmp_path: Path, key: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tree(tmp_path, {"image.tar": tar_of({"manifest.json": b"[]", "a": b"text", "k": key.pem})})
    monkeypatch.setattr(images, "LIMITS", Limits(max_members=2))
    result = look(tmp_path)
    assert not result.findings
    assert [trouble.reason for trouble in result.runs[0].troubles] == [
        "holds more than 2 members: the rest is not searched"
    ]


def test_files_that_are_not_where_blobs_belong_are_searched(tmp_path: Path, key: Made) -> None:
    files = {
        "blobs/note": key.pem,
        "blobs/sha256/deep/er/k": b"x" + key.pem,
        "blobs/sha256/k": b"y" + key.pem,
    }
    write_tree(tmp_path, {"oci-layout": b"{}", "index.json": b"{}", **files})
    assert places(look(tmp_path)) == {key.name: set(files)}
