"""What a front end asks for a scanner: a file of sketches."""

from __future__ import annotations

import os
from pathlib import Path

from immure.custody.keyholder.client import KeyHolder
from immure.custody.keyholder.errors import HolderFileError
from immure.custody.keyholder.protocol import Op, from_json


def export_sketches(holder: KeyHolder, path: str | Path) -> int:
    """Have sketches of all keys written into a new file that only its owner can read.

    Needs the role ``manage``. Returns the number of keys.

    Raises:
        HolderFileError: the file is there, or cannot be written.
        HolderRoleError, HolderRequestError: the holder may not, or has no key.
    """
    target = Path(path)
    try:
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except (OSError, ValueError) as error:
        raise HolderFileError(getattr(error, "strerror", None) or "no path", path=str(path)) from error
    try:
        said = from_json(holder._ask(Op.SKETCHES, b"", [handle]))
    except BaseException:
        target.unlink()
        raise
    finally:
        os.close(handle)
    return int(said["keys"])
