"""Rows of the log of acceptances by columns: the quick way, which gives the same rows as the slow one."""

from __future__ import annotations

import hashlib
from operator import attrgetter
from typing import Any, Final, Literal

import msgspec

from immure.detections.sources.block import Block
from immure.detections.sources.gathering import Gathering
from immure.detections.sources.values import seconds
from immure.detections.sources.wordset import wordset

_FAULTS: Final = (msgspec.DecodeError, ValueError, RecursionError, OverflowError)
_END: Final = 1e11  # what is more is milliseconds to the slow way
_NAMES: Final = wordset(
    "rule token_id session kid tenant client thumbprint relying_party channel ip issuer subject"
)
#: Members that are texts, and their columns.
_TEXTS: Final = {name: {"issuer": "iss", "subject": "sub"}.get(name, name) for name in sorted(_NAMES)}


class _Row(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    time: float
    verdict: Literal["accepted", "refused"]
    rule: str | None = None
    digest: str | None = None
    token_id: str | None = None
    session: str | None = None
    issuer: str | None = None
    kid: str | None = None
    thumbprint: str | None = None
    subject: str | None = None
    tenant: str | None = None
    audience: list[str] | None = None
    client: str | None = None
    issued_at: int | float | None = None
    expires: int | float | None = None
    relying_party: str | None = None
    channel: str | None = None
    ip: str | None = None


_DECODE: Final = msgspec.json.Decoder(_Row).decode_lines
_CELLS: Final = attrgetter("time", "digest", "audience", "issued_at", "expires", "verdict", *_TEXTS)


def take(source: str, block: Block, out: Gathering) -> bool:
    """The rows of a block of lines; False (and nothing taken) if some are not as our writer writes them."""
    import pyarrow

    from immure.detections.sources import columns

    if block.array:
        return False
    try:
        rows = _DECODE(block.body)
        lines = [line for line in block.body.split(b"\n") if line and not line.isspace()]
        if len(lines) != len(rows):
            return False
        times, digests, audiences, issued, expires, verdicts, *texts = zip(*map(_CELLS, rows), strict=True)
        if (
            min(times) < 0
            or max(times) >= _END
            or any("" in one or not one for one in audiences if one is not None)
        ):
            return False
        names = [f"sha256:{hashlib.sha256(line.strip()).hexdigest()[:32]}" for line in lines]
        given: dict[str, Any] = {
            "time": pyarrow.array([round(time * 1_000_000) for time in times], pyarrow.int64()).cast(
                pyarrow.timestamp("us", tz="UTC")
            ),
            "source": source,
            "record_id": pyarrow.array(names, pyarrow.string()),
            "verdict": columns.few(verdicts, str, pyarrow.string()),
            "digest": pyarrow.array([_digest(digest) for digest in digests], pyarrow.binary(16)),
            "aud": pyarrow.array(audiences, pyarrow.list_(pyarrow.string())),
            "iat": pyarrow.array(list(map(_whole, issued)), pyarrow.int64()),
            "exp": pyarrow.array(list(map(_whole, expires)), pyarrow.int64()),
            **{
                column: columns.text_column(cells)
                for column, cells in zip(_TEXTS.values(), texts, strict=True)
            },
        }
    except (*_FAULTS, pyarrow.ArrowInvalid):
        return False
    out.read += len(rows)
    out.add_batch("acceptance", columns.table("acceptance", len(rows), given))
    return True


def _digest(text: str | None) -> bytes | None:
    if text is None:
        return None
    made = bytes.fromhex(text)
    if len(made) != 16:
        raise ValueError("no digest")
    return made


def _whole(value: float | None) -> int | None:
    """As :func:`seconds`, which is for all that a log may hold."""
    if type(value) is int and 0 <= value < _END:
        return value
    return seconds(value)
