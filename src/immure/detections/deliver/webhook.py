"""Findings to a webhook: POST of a JSON list over https, to public addresses only unless told otherwise.

The host is resolved once, and the address that was checked is the one that is connected to. Redirects are not
followed. ``Idempotency-Key`` is a digest of the findings' ids.
"""

from __future__ import annotations

import hashlib
import http.client
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import SplitResult

from immure.detections.deliver.receiver import Receiver
from immure.detections.errors import DetectionError
from immure.detections.finding import Finding
from immure.detections.report.ocsf import to_ocsf
from immure.detections.rule import Rule
from immure.errors import KeySourceError
from immure.keymaterial.sources_http import _Deadline
from immure.tokens.sources.fetch import _PageFetcher

_MOST_ANSWER: Final = 64 << 10


class Webhook(Receiver):
    """A webhook.

    Args:
        url: https; http only for this machine.
        rules: by id, for what is said of them.
        authorization: value of the header of that name; "" sends none.
        allow_private_hosts: also connect to private addresses.
        allow_loopback: also to this machine.
        ca_file: PEM file of the certificates to trust instead of the system's.
        seconds: for one answer.
    """

    def __init__(
        self,
        url: str,
        rules: dict[str, Rule],
        *,
        authorization: str = "",
        allow_private_hosts: bool = False,
        allow_loopback: bool = False,
        ca_file: str | None = None,
        seconds: float = 10.0,
    ) -> None:
        self.name = f"webhook:{hashlib.sha256(url.encode()).hexdigest()[:16]}"
        self._url, self._rules = url, rules
        self._poster = _Poster(
            allow_private_hosts, allow_loopback, seconds=seconds, ca_file=ca_file, authorization=authorization
        )

    def send(self, findings: Sequence[Finding]) -> None:
        """See :meth:`Receiver.send`. Events are of OCSF."""
        events = [to_ocsf(one, self._rules.get(one.rule)) for one in findings]
        key = hashlib.sha256("".join(one.id for one in findings).encode()).hexdigest()[:32]
        try:
            self._poster.post(self._url, json.dumps(events, separators=(",", ":")).encode(), key)
        except (KeySourceError, ValueError) as error:
            words = error.reason if isinstance(error, KeySourceError) else "is not a valid URL"
            raise DetectionError(f"the webhook: {words}") from error  # its URL may hold a secret


@dataclass(frozen=True, slots=True)
class _Poster(_PageFetcher):
    """The fetcher of key sets, which knows what may be connected to, and here sends."""

    authorization: str = field(default="", repr=False)
    body: bytes = field(default=b"", repr=False)
    key: str = ""

    def post(self, url: str, body: bytes, key: str) -> None:
        """Send; raises KeySourceError."""
        _Poster(
            self.allow_private_hosts, self.allow_loopback, _MOST_ANSWER, self.seconds, 0, self.ca_file, None,
            self.authorization, body, key,
        )(url)  # fmt: skip

    def _get(self, parts: SplitResult, deadline: _Deadline) -> bytes | str:
        connection = http.client.HTTPConnection(parts.netloc, timeout=deadline.left)
        connection.sock = self._connect(parts, deadline)
        try:
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            headers = {
                "Content-Type": "application/json", "User-Agent": "immure", "Connection": "close",
                "Idempotency-Key": self.key,
            }  # fmt: skip
            if self.authorization:
                headers["Authorization"] = self.authorization
            connection.request("POST", target, body=self.body, headers=headers)
            status = connection.getresponse().status
        finally:
            connection.close()
        if not 200 <= status < 300:
            raise KeySourceError(f"HTTP status {status}")
        return b""
