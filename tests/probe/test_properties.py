"""Whatever comes from outside: it is an answer, or one of our errors."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from immure.probe.channels.sasl import Login, is_fault
from immure.probe.errors import CarryError, KitError, TargetError
from immure.probe.kit_file import read_kit
from immure.probe.run import digest
from immure.probe.target import parse_target

SCHEMES = st.sampled_from(["http", "https", "imap", "imaps", "smtp", "smtps", "ftp", "HTTP", ""])
URLS = st.text() | st.builds(
    "{}://{}".format, SCHEMES, st.text() | st.from_regex("[a-z.]{1,9}(:[0-9]{1,6})?")
)


@given(st.binary())
def test_any_challenge(data: bytes) -> None:
    assert is_fault(data) in (True, False)


@given(URLS, st.lists(st.text(), max_size=3))
def test_any_url(url: str, owned: list[str]) -> None:
    try:
        target = parse_target(url, owned)
    except TargetError:
        return
    assert target.host in {one.strip().strip("[]").lower().rstrip(".") for one in owned}
    assert target.shown.isprintable()
    assert 0 <= target.port < 65536


@given(st.from_regex("[a-z]{1,9}([.][a-z]{1,9}){0,2}", fullmatch=True), st.integers(0, 65535))
def test_who_is_named_is_asked(host: str, port: int) -> None:
    target = parse_target(f"https://{host.upper()}:{port}/a?b", [host])
    assert (target.host, target.path, target.tls) == (host, "/a?b", "implicit")
    assert target.port == (port or 443)


@given(st.text())
def test_any_token_can_be_said_or_is_refused(token: str) -> None:
    try:
        assert Login("ada", "XOAUTH2", "h", 1).first(token)
    except CarryError:
        assert "\x01" in token
    assert len(bytes.fromhex(digest(token))) == 16


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary() | st.text().map(lambda text: f"version = 1\ntarget = 'a'\n{text}".encode("utf-8", "replace"))
)
def test_any_bytes_for_a_kit(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "kit.toml"
    path.write_bytes(data)
    with pytest.raises(KitError, match=re.escape(str(path))):
        read_kit(path)
