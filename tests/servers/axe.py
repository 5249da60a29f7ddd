"""axe-core on a page in :mod:`servers.chromium`: what keeps people out who do not see it, or see it badly."""

from __future__ import annotations

import json
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from servers.chromium import Visitor

#: Rules that are off unless they are asked for, and are asked for here (WCAG 2.2, level AA).
_MORE = ("target-size",)


def violations(visitor: Visitor, *rules: str) -> list[tuple[str, str]]:
    """Rules that the page breaks, with what is said of the first element that does; of ``rules`` only, if
    some are named. Contrast that cannot be told counts as broken. Skips the test if axe-core is not here."""
    if not visitor.run("typeof axe === 'object'"):
        visitor.run(script())
    # no preload: axe would fetch style sheets by script, which no page of ours allows
    options: dict[str, Any] = {"preload": False, "resultTypes": ["violations", "incomplete"]}
    if rules:
        options["runOnly"] = {"type": "rule", "values": list(rules)}
    else:
        options["rules"] = {name: {"enabled": True} for name in _MORE}
    wanted = "({violations, incomplete}) => JSON.stringify({violations, incomplete})"
    result = json.loads(visitor.run(f"axe.run(document, {json.dumps(options)}).then({wanted})"))
    unclear = [one for one in result["incomplete"] if one["id"] == "color-contrast"]
    return [(one["id"], _first(one["nodes"])) for one in [*result["violations"], *unclear]]


def _first(nodes: list[dict[str, Any]]) -> str:
    return f"{nodes[0]['html']}: {nodes[0].get('failureSummary', '')}"


@cache
def script() -> str:
    """The text of axe-core. It is in axe-playwright-python, whose own code is not used."""
    spec = find_spec("axe_playwright_python")
    for one in [] if spec is None else spec.submodule_search_locations or ():
        place = Path(one) / "axe.min.js"
        if place.is_file():
            return place.read_text(encoding="utf-8")
    pytest.skip("NOT TESTED: axe-core is not installed (PyPI: axe-playwright-python, of the dev packages)")
