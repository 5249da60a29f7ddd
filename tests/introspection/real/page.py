"""What the page for owners of relying parties shows: the programs here are started with it."""

from __future__ import annotations

import re

from docs.blocks import ROOT, blocks

PAGE = ROOT / "docs" / "howto" / "relying-parties.md"


def shown(name: str, places: dict[str, str]) -> str:
    """The block of that name, with the page's addresses and files replaced by those of the test.

    Every key of ``places`` must be in the block: a page that has changed is not tested by halves.
    """
    [text] = [block.text for block in blocks(PAGE) if block.file == name]
    for old in places:
        assert old in text, f"{name} of {PAGE.name} has no {old!r}"
    if not places:
        return text
    # in one pass, longest first: what was put in is not looked at again
    any_place = "|".join(re.escape(old) for old in sorted(places, key=len, reverse=True))
    return re.sub(any_place, lambda found: places[found[0]], text)
