"""Letters out of templates: ours, a user's, and wrong ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from immure.response.notification.errors import LetterTemplateError
from immure.response.notification.rendering import MOST_LETTER, MOST_TEMPLATE, NAMES, Templates
from immure.response.notification.statement import statement_of
from immure.response.radius import Interval, Mailbox, TenantImpact
from response.notification.making import CONTOSO, FABRIKAM, QUIET, radius


def values(impact: TenantImpact = CONTOSO, **more: Any) -> dict[str, Any]:
    return {
        **statement_of(radius(impact), impact.tenant, incident="2026-11-30-a"),
        "edition": 1,
        "as_of": "2026-11-30T00:00:00Z",
        "radius": 64 * "0",
        "looked_at": {"begin": "2026-01-01T00:00:00Z", "end": "2026-11-30T00:00:00Z"},
        "corrects": None,
        "tenant_name": "Contoso",
        "sender": {"name": "Example Login", "address": "security@login.example", "contact": ""},
        "language": "en",
        **more,
    }


CORRECTS = {
    "edition": 1,
    "message_id": "<a@login.example>",
    "sent": "2026-11-29T00:00:00Z",
    "certain": True,
    "statement": 64 * "1",
    "changes": [
        {"member": "standing", "was": "unknown", "is": "affected"},
        {"member": "at_least", "was": True, "is": False},
        {"member": "first", "was": None, "is": "2026-11-01T00:00:00Z"},
        {"member": "subjects", "added": ["ada"], "removed": []},
        {"member": "mailboxes", "added": [], "removed": [], "changed": ["ada"]},
    ],
}


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("corrects", [None, CORRECTS], ids=["first", "correction"])
@pytest.mark.parametrize("impact", [CONTOSO, FABRIKAM, QUIET], ids=lambda impact: impact.tenant)
def test_ours_say_all_of_it(language: str, corrects: Any, impact: TenantImpact) -> None:
    letter = Templates().fill_in(language, values(impact, corrects=corrects))
    for text in (letter.plain, letter.html):
        assert "2026-11-30-a" in text
        assert "k1" in text
        for subject in impact.subjects:
            assert subject in text
        for box in impact.mailboxes:
            assert box.folders[0] in text
        for unknown in impact.unknown:
            assert unknown.reason in text
        assert ("a@login.example" in text) == (corrects is not None)
        assert "{" not in text
    assert letter.html.count("<ul>") == letter.html.count("</ul>")
    assert ("Correction" in letter.subject or "Berichtigung" in letter.subject) == (corrects is not None)


def test_the_languages_that_there_are() -> None:
    assert Templates().languages() == ["de", "en"]


def test_a_count_beside_an_unknown_interval_is_a_lower_bound() -> None:
    seen = TenantImpact("t", 3, ("ada",), (), (Interval(0, 60, "throttled"),), None, None)
    letter = Templates().fill_in("en", values(seen))
    assert "accepted: at least 3" in letter.plain
    assert "named (at least 1)" in letter.plain
    assert "Whether mailboxes were read, and which, is not known." in letter.plain


def test_long_lists_are_cut_and_it_is_said_where_the_rest_is() -> None:
    boxes = tuple(
        Mailbox(f"m{n:03d}@x.example", (), tuple(f"f{k:02d}" for k in range(30)), 1) for n in range(70)
    )
    seen = TenantImpact("t", 3, tuple(f"s{n:03d}" for n in range(80)), boxes, (), None, None)
    letter = Templates().fill_in("en", values(seen))
    assert "- s049\n- and 30 more, in the list" in letter.plain
    assert "and 20 more, in the list" in letter.plain
    assert "f19 and 10 more" in letter.plain
    assert "s050" not in letter.plain


def test_text_out_of_logs_is_harmless() -> None:
    bad = "<script>alert(1)</script>\x1b[31m\u202e\r\nBcc: x"
    seen = TenantImpact("t", 1, (bad,), (), (), None, None)
    letter = Templates().fill_in("en", values(seen, tenant_name=bad))
    assert "<script>" not in letter.html
    assert "&lt;script&gt;" in letter.html
    for text in (letter.plain, letter.html):
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert "\nBcc" not in text


def write(folder: Path, language: str, **texts: str) -> Templates:
    (folder / language).mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / language / {"subject": NAMES[0], "plain": NAMES[1], "html": NAMES[2]}[name]).write_text(
            text
        )
    return Templates(folder)


def test_a_user_s_templates_come_before_ours(tmp_path: Path) -> None:
    made = write(tmp_path, "en", subject="About {{ kid }}")
    letter = made.fill_in("en", values())
    assert letter.subject == "About k1"
    assert "WHAT IS KNOWN" in letter.plain


def test_a_language_of_a_user_s_own(tmp_path: Path) -> None:
    made = write(
        tmp_path, "fr", subject="Incident", plain="Bonjour {{ tenant_name }}", html="<p>{{ kid }}</p>"
    )
    assert made.languages() == ["de", "en", "fr"]
    assert made.fill_in("fr", values()).plain == "Bonjour Contoso\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a\n{{ nobody }}", r"letter.txt.j2: line 2: 'nobody' is undefined"),
        ("{{ tokens.nothing }}", "line 1: .*has no attribute"),
        ("{% if %}", "line 1: "),
        ("a\n\n{% for x in subjects %}", "line 3: "),
        ("{{ tokens / 0 }}", "line 1: division by zero"),
        ("{{ subjects | nothing }}", "line 1: No filter named 'nothing'"),
        ("{{ ''.__class__.__mro__ }}", "unsafe"),
        ("{{ subjects.append('x') }}", "unsafe"),
        ("{{ self.__init__.__globals__ }}", "unsafe|undefined"),
        ("{{ 'x' * 100000000 }}", "repeated more than"),
        ("{{ 9 ** 9 ** 9 }}", r"\*\* is not there"),
        ("{{ '%999999999d' % 1 }}", "% is not there"),
        ("{% for a in range(99999999) %}x{% endfor %}", "Range too big"),
        ("{% for a in range(9999) %}{{ 'x' * 9999 }}{% endfor %}", f"more than {MOST_LETTER:,}"),
        ("{% include 'letter.txt.j2' %}", "no loader"),
        ("{% import '/etc/passwd' as x %}", "no loader"),
        ("{{ cycler.__init__ }}", "unsafe"),
        ("(" * 50 + "{{ " + "(" * 100000, "line 1|recursion"),
        ("x" * (MOST_TEMPLATE + 1), "longer than"),
    ],
)
def test_wrong_templates(tmp_path: Path, text: str, words: str) -> None:
    made = write(tmp_path, "en", plain=text)
    with pytest.raises(LetterTemplateError, match=words) as caught:
        made.fill_in("en", values())
    assert caught.value.path == str(tmp_path / "en" / "letter.txt.j2")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("subject", ["", "a\nb", "x" * 301, "a\rBcc: x", "\u2028"])
def test_a_subject_is_a_line(tmp_path: Path, subject: str) -> None:
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / NAMES[0]).write_bytes(subject.encode())
    with pytest.raises(LetterTemplateError, match="a subject is a line"):
        Templates(tmp_path).fill_in("en", values())


def test_a_language_that_nobody_has(tmp_path: Path) -> None:
    with pytest.raises(LetterTemplateError, match=r"no subject\.j2 for the language fr; there are de, en"):
        Templates(tmp_path).fill_in("fr", values())


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(LetterTemplateError, match="no folder"):
        Templates(tmp_path / "nowhere")


def test_a_template_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / NAMES[1]).write_bytes(b"\xff\xfe")
    with pytest.raises(LetterTemplateError, match="no UTF-8"):
        Templates(tmp_path).fill_in("en", values())
