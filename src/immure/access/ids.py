"""Ids of requests, grants and sessions: 80 random bits in 16 characters.

>>> is_id(new_id())
True
>>> is_id("../../etc/passwd")
False
"""

from __future__ import annotations

import base64
import re
import secrets
from typing import Final

_ID: Final = re.compile(r"[a-z2-7]{16}", re.ASCII)


def new_id() -> str:
    """One that there never was."""
    return base64.b32encode(secrets.token_bytes(10)).decode().lower()


def is_id(text: str) -> bool:
    """Whether a text has the form of one."""
    return _ID.fullmatch(text) is not None
