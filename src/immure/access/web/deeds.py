"""All that can be done on the page, by name. What a deed needs is asked by its form; what it may do is
decided by the door, where ``immure access`` asks the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from immure.access.web.deeds_founding import FOUNDING_DEEDS
from immure.access.web.deeds_grants import GRANT_DEEDS
from immure.access.web.deeds_people import PEOPLE_DEEDS
from immure.access.web.forms import Deed
from immure.access.web.wire import WireError

DEEDS: Final[Mapping[str, Deed]] = {**FOUNDING_DEEDS, **GRANT_DEEDS, **PEOPLE_DEEDS}


def deed_of(name: str) -> Deed:
    """The deed of that name; raises WireError if there is none."""
    found = DEEDS.get(name)
    if found is None:
        raise WireError(404, "there is no such page")
    return found
