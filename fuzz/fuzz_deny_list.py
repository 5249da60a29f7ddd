"""Feeds broken deny-lists, playbooks and settings of containments to immure."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

from driver import run

from immure.errors import ImmureError
from immure.response.containment.settings_file import parse_containment
from immure.response.playbooks.errors import PlaybookError
from immure.response.playbooks.playbook import names, parse_playbook
from immure.tokens.deny_list import MOST_KEYS, parse_deny_list, pinned_keys, verify_deny_list
from immure.tokens.deny_list_errors import DenyListError
from immure.tokens.deny_list_store import DenyListStore

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from tokens.deny_lists import NAME, entry, listed, members, pinned
from tokens.minting import ENTERPRISE, ISSUER, jwk

SECONDS = 1.0  # of computing for one input
PINNED = pinned()
FRESH = listed(5)
PLAYBOOKS = Path(parse_playbook.__code__.co_filename).parent
SETTINGS = b"""version = 1
registry = "keys.db"
owned = ["127.0.0.1"]
[deny_list]
name = "a"
key = "file:deny.key"
directory = "d"
[events]
issuer = "a"
key = "file:deny.key"
store = "e.db"
[events.streams.partner]
endpoint = "https://partner.example/"
[caches.edge]
url = "https://edge.example/"
[relying_parties.mail]
push = "https://mail.example/deny-list"
[relying_parties.mail.probe]
url = "http://127.0.0.1:1/"
"""


def check_deny_list(data: bytes) -> None:
    """An error that is ours; or a list within its bounds, which reads the same when it is written again."""
    begun = time.thread_time()
    try:
        _list(data)
        _others(data)
    finally:
        assert time.thread_time() - begun < SECONDS


def _list(data: bytes) -> None:
    for act in (lambda: verify_deny_list(data, PINNED, NAME), lambda: parse_deny_list(data)):
        try:
            made = act()
        except DenyListError:
            continue
        assert len(made.keys) <= MOST_KEYS
        assert made.expires > made.issued
        assert parse_deny_list(json.dumps(made.plain()).encode()) == made
        for one in made.keys:
            assert made.names(one.issuer, one.kid, "")
        made.epoch(ISSUER)
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "list.jwt"
        path.write_bytes(data)
        store = DenyListStore(path, name=NAME, keys=PINNED)
        try:
            store.offer(FRESH)
        except DenyListError:
            assert path.read_bytes() == data  # what was in force stays


def _others(data: bytes) -> None:
    for act in (
        lambda: pinned_keys(data, "fuzz"),
        lambda: parse_containment(data, "fuzz"),
    ):
        try:
            act()
        except ImmureError:
            continue
    try:
        book = parse_playbook(data, "fuzz")
    except PlaybookError:
        return
    assert book.steps
    assert book.findings


if __name__ == "__main__":
    good = members(3, keys=[entry(), entry(issuer=ENTERPRISE, jkt="0" * 43)], not_before={ISSUER: 5})
    payload = json.dumps(good).encode()
    books = [(PLAYBOOKS / f"{name}.toml").read_bytes() for name in names()]
    pins = json.dumps({"keys": [jwk("Ed25519")]}).encode()
    run(check_deny_list, [payload, listed(3), pins, SETTINGS, *books])
