"""The kinds of containers, in the order in which they are asked."""

from __future__ import annotations

from typing import Final

from immure.watching.containers import apport, ar, encoded, mail, nss
from immure.watching.containers.part import Container

CONTAINERS: Final[tuple[Container, ...]] = (
    ar.CONTAINER,
    apport.CONTAINER,
    mail.CONTAINER,
    nss.CONTAINER,
    encoded.CONTAINER,  # any text may be one
)


def container_of(head: bytes) -> Container | None:
    """The container that a file with this head is; None if it is none."""
    return next((kind for kind in CONTAINERS if kind.detect(head)), None)
