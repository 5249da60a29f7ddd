"""Feeds broken manifests of container images, and files of rules, to immure.watching."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import date

from driver import run

from immure.errors import ImmureError
from immure.watching.rules.baseline import parse_baseline
from immure.watching.rules.globs import glob
from immure.watching.rules.owners import parse_owners
from immure.watching.rules.suppressions import parse_suppressions
from immure.watching.sources.layers import hides, read_images


def check(data: bytes) -> None:
    """A manifest is understood or not; rules are taken or refused."""
    images = read_images(lambda name: data)
    for layer in images.layers:
        assert layer.number >= 1
        assert images.of(layer.file)
    text = data.decode("utf-8", "replace")
    hides(text[:200], text[200:400])
    for parse in (parse_owners, parse_baseline, lambda words: parse_suppressions(words, date(2026, 11, 30))):
        with suppress(ImmureError):
            parse(text)
    with suppress(ImmureError):
        glob(text[:100]).matches(text)


if __name__ == "__main__":
    descriptor = {"digest": "sha256:" + "a" * 64, "annotations": {"org.opencontainers.image.ref.name": "a:1"}}
    documents = [
        [{"Config": "c.json", "RepoTags": ["a:1"], "Layers": ["x/layer.tar", "y/layer.tar"]}],
        {"manifests": [descriptor, descriptor]},
        {"config": descriptor, "layers": [descriptor, descriptor]},
        {"schema": "immure-watch-baseline-1", "known": [{"key": "a", "path": "b"}]},
    ]
    texts = [
        b"* @a\n/conf/ @b c@d # x\n",
        b'[[suppress]]\nplace = "a/**/b*"\nreason = "because of it"\nexpires = 2027-01-01\n',
    ]
    run(check, [*(json.dumps(document).encode() for document in documents), *texts])
