"""What people write of an advisory, read strictly."""

from __future__ import annotations

from pathlib import Path

import pytest

from immure.response.advisory.draft import MOST_BYTES, Claim, Indicator, parse_draft, read_draft
from immure.response.advisory.errors import DraftError
from response.advisory.making import DRAFT


def test_all_of_it(tmp_path: Path) -> None:
    path = tmp_path / "draft.toml"
    path.write_text(DRAFT)
    made = read_draft(path)
    assert made.file_name == "example-2026-0001"
    assert made.claims == (Claim("dump", "The key was in a memory image that left the room.", 0),)
    assert made.indicators[0] == Indicator("ipv4", "192.0.2.7")
    assert (made.tlp, made.status, made.language) == ("white", "interim", "en")


@pytest.mark.parametrize(
    ("id_", "name"),
    [("Example Inc. 2026:7", "example_inc_2026_7"), ("A+B", "a+b"), ("x_-_y", "x_-_y"), ("a..b", "a_b")],
)
def test_names_of_files_as_csaf_has_them(id_: str, name: str) -> None:
    made = parse_draft(DRAFT.replace("EXAMPLE-2026-0001", id_).encode(), "draft.toml")
    assert made.file_name == name


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("version = 1", "version = 3"), "version is not 1"),
        (("version = 1", "version = 1\nmore = 1"), "more is not known"),
        (('id = "EXAMPLE-2026-0001"', ""), "id is missing"),
        (("EXAMPLE-2026-0001", "../../x"), "id is a name of up to 80"),
        (("EXAMPLE-2026-0001", "x\\n"), "id is a name"),
        (('title = "A key', 'title = "\\u0007A key'), "title is text"),
        (('namespace = "https://login.example"', ""), "publisher.namespace is missing"),
        (
            ('namespace = "https://login.example"', 'namespace = "javascript:x"'),
            "publisher.namespace is no https",
        ),
        (("[findings.dump]", "[findings.Dump]"), "small letters"),
        (("[findings.dump]", "[finding.dump]"), "finding is not known"),
        (("entry = 0", ""), "findings.dump.entry is missing"),
        (("entry = 0", "entry = -1"), "not a number"),
        (
            ('url = "https://login.example/incident"', 'url = "http://login.example"'),
            "references.0.url is no https",
        ),
        (('url = "https://login.example/incident"', 'url = "https://x/<y>"'), "references.0.url is no https"),
        (("[[references]]", "[references]"), "references is not a list"),
        (('kind = "ipv4"', 'kind = "smell"'), "indicators.0.kind is not one of"),
        (('tlp = "white"', 'tlp = "clear"'), "tlp is not one of white, green, amber, red"),
        (("[publisher]", "[publisher"), "is no TOML"),
    ],
)
def test_wrong_drafts(change: tuple[str, str], words: str) -> None:
    with pytest.raises(DraftError, match=words) as caught:
        parse_draft(DRAFT.replace(*change).encode(), "draft.toml")
    assert caught.value.path == "draft.toml"
    assert "\n" not in str(caught.value)


def test_without_findings_or_references() -> None:
    start, _, rest = DRAFT.partition("[findings.dump]")
    without = start + rest[rest.index("[[references]]") :]
    with pytest.raises(DraftError, match="an advisory says 1 to"):
        parse_draft(without.encode(), "draft.toml")
    with pytest.raises(DraftError, match="at least one"):
        parse_draft(DRAFT[: DRAFT.index("[[references]]")].encode(), "draft.toml")


def test_too_much(tmp_path: Path) -> None:
    with pytest.raises(DraftError, match="is longer than"):
        parse_draft(b"#" * (MOST_BYTES + 1), "draft.toml")
    many = "\n".join(f'[findings.f{n}]\nentry = 0\ntext = "x"' for n in range(60))
    with pytest.raises(DraftError, match="1 to 50 things"):
        parse_draft(DRAFT.replace("[findings.dump]", many + "\n[findings.dump]").encode(), "draft.toml")
    with pytest.raises(DraftError, match="cannot be read"):
        read_draft(tmp_path / "gone.toml")
