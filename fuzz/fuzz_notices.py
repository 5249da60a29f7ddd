"""Feeds broken settings, deadlines, drafts, manifests of letters and templates to immure.response.

Only errors that are ours are raised; what is taken can be written down and read again as the same, and no
name in it leads out of a folder or into a header.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from driver import run

from immure.errors import ImmureError
from immure.response.advisory.draft import parse_draft
from immure.response.deadlines.rule import Rule
from immure.response.deadlines.rules import parse_rules
from immure.response.notification.letter_set import parse_manifest
from immure.response.notification.rendering import NAMES, Templates
from immure.response.notification.settings_file import parse_settings

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from cli.responding import NOTIFY
from response.advisory.making import DRAFT

SECONDS = 2.0
FOLDER = Path(tempfile.mkdtemp(prefix="immure-fuzz-"))
(FOLDER / "en").mkdir()
VALUES = {"subjects": ["ada"], "tokens": 2, "corrects": None, "sender": {"name": "x", "contact": ""}}
RULES = b"""version = 1
[deadlines.contoso]
title = "Tell the customer"
source = "contract"
business_days = 4
calendar = "us-federal"
zone = "America/New_York"
until = "17:30"
closed = ["2026-12-24"]
[deadlines.later]
title = "Report"
source = "contract"
months = 1
after = "contoso"
"""
MANIFEST = (
    b'{"deliveries":[{"answers":"","channel":"mail","edition":1,"id":"ab","language":"en","message_id":"<ab@x>",'
    b'"sha256":{"html":"0","json":"0","txt":"0"},"statement":"0","stem":"00001-contoso","subject":"s",'
    b'"tenant":"contoso","to":"a@b.example"}],"incident":"i","number":1,"radius":"0",'
    b'"schema":"https://immure.example/schemas/letters-1.json","sender":{"address":"a@b","name":"n"},'
    b'"untold":[{"reason":"no address","tenant":"t"}]}'
)
TEMPLATE = (
    b"{% for one in subjects %}{{ one | upper }}{% endfor %}{% if corrects %}{{ sender.name ~ 1 }}{% endif %}"
)


def check_notices(data: bytes) -> None:
    """An error that is ours, or a value that holds what it promises."""
    begun = time.thread_time()
    for check in (_settings, _rules, _draft, _manifest, _template):
        try:
            check(data)
        except ImmureError as error:
            words = str(error)
        else:
            words = ""
        assert "\n" not in words, words
    assert time.thread_time() - begun < SECONDS


def _settings(data: bytes) -> None:
    made = parse_settings(data, "fuzz/notify.toml")
    for contact in made.tenants.values():
        for _, to in contact.places():
            assert to.isprintable()
    assert made.sender.name.isprintable()
    assert made.pace.wait(10**6) <= 86_400


def _rules(data: bytes) -> None:
    for rule in parse_rules(data, "fuzz").values():
        assert Rule.from_plain(rule.plain()) == rule
        assert rule.due(1_800_000_000) > 1_800_000_000


def _draft(data: bytes) -> None:
    made = parse_draft(data, "fuzz")
    assert "/" not in made.file_name
    assert made.claims
    assert made.references


def _manifest(data: bytes) -> None:
    made = parse_manifest(data, Path("letters"))
    assert made.manifest() == data
    for one in made.deliveries:
        assert (Path("letters") / f"{one.stem}.json").parent == Path("letters")


def _template(data: bytes) -> None:
    (FOLDER / "en" / NAMES[1]).write_bytes(data)
    Templates(FOLDER)._filled("en", NAMES[1], VALUES)


if __name__ == "__main__":
    assert parse_manifest(MANIFEST, FOLDER).deliveries
    run(check_notices, [NOTIFY.encode(), RULES, DRAFT.encode(), MANIFEST, TEMPLATE])
