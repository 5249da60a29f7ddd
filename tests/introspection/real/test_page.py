"""What the page says beside its configurations: every header of ours is in each; statuses in its table."""

from __future__ import annotations

import re

import pytest

from immure.introspection.settings import IDENTITY
from introspection.real.page import PAGE
from introspection.real.test_proxies import NO_VERDICT, TWICE

TEXT = PAGE.read_text(encoding="utf-8")
ROWS = {
    "the token is refused, or there is none": [401, 401, 401],
    "it lacks a scope that the profile asks for": [403, 403, 403],
    "two `Authorization` headers": list(TWICE.values()),
    "our server is down": [codes[0] for codes in NO_VERDICT.values()],
    "our server does not answer in time": [codes[1] for codes in NO_VERDICT.values()],
    "our server cannot get the issuer's keys": [codes[2] for codes in NO_VERDICT.values()],
}


@pytest.mark.parametrize("section", ["nginx", "Caddy", "Traefik"])
def test_every_header_is_taken_from_us(section: str):
    part = TEXT.split(f"\n## {section}\n")[1].split("\n## ")[0]
    assert set(re.findall(r"X-Immure-([A-Z][a-z]+)", part)) == {name.title() for name in IDENTITY}


def test_the_table_says_what_the_tests_expect():
    assert list(NO_VERDICT) == list(TWICE) == ["nginx", "envoy", "caddy"]
    table = TEXT.split("| | nginx | Envoy | Caddy |\n|---|---|---|---|\n")[1].split("\n\n")[0]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    assert {row[0]: [int(cell) for cell in row[1:]] for row in cells} == ROWS
