"""How an incident's directory comes to be: whole, or not at all."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from immure.clock import Clock
from immure.errors import LogError
from immure.files import sync_directory
from immure.response.errors import FormError, IncidentError
from immure.response.finding import Finding

_ORIGIN: Final = "immure.incident/"


def origin_of(name: str) -> str:
    """The name of the log of an incident; raises FormError."""
    if not name.isascii() or not name.isprintable() or not 0 < len(name) <= 100 or set(name) & set(" +/"):
        raise FormError("the name of an incident is a word of letters, digits and -._, up to 100")
    return _ORIGIN + name


def name_of(finding: Finding, clock: Clock) -> str:
    """A name for an incident: the day, and a few letters that follow from what was found and when."""
    moment = clock()
    text = f"{finding.kind}\n{finding.issuer}\n{finding.kid}\n{moment.isoformat()}"
    return f"{moment:%Y-%m-%d}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


@contextmanager
def directory_aside(folder: Path) -> Iterator[Path]:
    """A new directory that takes the place of ``folder`` when the block ends well; else nothing is left.

    Raises:
        IncidentError: there is something already, or it cannot be written.
    """
    made = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise IncidentError("there is something already", path=str(folder))
        made = Path(tempfile.mkdtemp(prefix=f".{folder.name[:40]}.", suffix=".part", dir=folder.parent))
        yield made
        sync_directory(made)
        os.rename(made, folder)
        sync_directory(folder.parent)
    except OSError as error:
        raise IncidentError(error.strerror or str(error), path=str(folder)) from error
    except LogError as error:
        raise IncidentError(error.reason, path=str(folder)) from error
    finally:
        if made is not None and made.exists():
            shutil.rmtree(made, ignore_errors=True)
