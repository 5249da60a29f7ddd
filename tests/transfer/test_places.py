from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from immure.errors import UsageError
from immure.transfer.destinations import open_destination
from immure.transfer.places import Pattern, parse_place


@pytest.mark.parametrize(
    ("pattern", "url", "fits"),
    [
        ("file:///srv/debug", "file:///srv/debug", True),
        ("file:///srv/debug/", "file:///srv/debug", True),
        ("file:///srv/debug", "file:///srv/debug/deeper", False),
        ("file:///srv/debug", "file:///srv/debugger", False),
        ("file:///srv/*", "file:///srv/debug", True),
        ("file:///srv/*", "file:///srv", False),
        ("file:///srv/*", "file:///srv/debug/deeper", False),
        ("file:///srv/*/in", "file:///srv/a/in", True),
        ("file:///srv/*/in", "file:///srv/a/out", False),
        ("file:///srv/**", "file:///srv/a/b/c", True),
        ("file:///srv/**", "file:///srv", True),
        ("file:///srv/**", "file:///srv2/a", False),
        ("file:///srv/a%20b", "file:///srv/a%20b", True),
        ("file:///srv/a b", "file:///srv/a%20b", True),
        ("s3://dumps/**", "s3://dumps/x", True),
        ("s3://dumps", "s3://dumps", True),
        ("s3://dumps/**", "s3://dumps-of-others/x", False),
        ("s3://dumps/**", "file:///dumps/x", False),
        ("sftp://debug.example/in", "sftp://DEBUG.example/in", True),
        ("sftp://debug.example/in", "sftp://debug.example:2222/in", False),
        ("sftp://debug.example:2222/in", "sftp://debug.example:2222/in", True),
        ("sftp://[::1]:2222/in", "sftp://[::1]:2222/in", True),
    ],
)
def test_which_destinations_a_pattern_fits(pattern, url, fits):
    assert Pattern.parse(pattern).fits(url) is fits


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "is not a destination"),
        ("/srv/debug", "is not a destination"),
        ("http://host/x", "is not a destination"),
        ("FILE:///x y" + "z" * 3000, "is not a destination"),
        ("file://host/x", "has a host where none belongs"),
        ("s3:///x", "has a host where none belongs"),
        ("s3://*/x", "has a host where none belongs"),
        ("s3://-x/y", "has a host where none belongs"),
        ("sftp://host:99999/x", "is not a destination"),
        ("sftp://host:x/x", "is not a destination"),
        ("sftp://me@host/x", "do not belong in a destination"),
        ("sftp://me:hunter2@host/x", "do not belong in a destination"),
        ("s3://bucket/x?secret=hunter2", "neither a query nor a fragment"),
        ("s3://bucket/x#hunter2", "neither a query nor a fragment"),
        ("s3://bucket/../x", "its path has empty parts, dots"),
        ("s3://bucket/a//b", "its path has empty parts, dots"),
        ("s3://bucket/./b", "its path has empty parts, dots"),
        ("s3://bucket/%2e%2e/b", "its path has empty parts, dots"),
        ("s3://bucket/a%2Fb/%00", "its path has empty parts, dots"),
        ("s3://bucket/%ff", "its path is not UTF-8"),
        ("sftp://[::1/x", "is not a destination"),
    ],
)
def test_what_is_no_destination(url, words):
    with pytest.raises(UsageError, match=words) as caught:
        parse_place(url)
    assert "hunter2" not in str(caught.value)
    if "://" in url:
        with pytest.raises(UsageError):
            open_destination(url)


@pytest.mark.parametrize("pattern", ["s3://b/x*", "s3://b/**/x", "s3://b/*x", "file:///***"])
def test_what_is_no_pattern(pattern):
    with pytest.raises(UsageError, match="stands for a whole part of the path"):
        Pattern.parse(pattern)


@given(text=st.text(max_size=60) | st.from_regex(r"(file|s3|sftp)://[a-z@:\[\]*.%/?#-]*", fullmatch=True))
def test_any_text_is_a_place_with_one_name_or_none(text):
    try:
        place = parse_place(text)
    except UsageError:
        return
    again = parse_place(place.url)
    assert (again.url, again) == (place.url, place)
    assert "@" not in place.url
