"""Versions of an advisory: what forces a correction, what is refused, and what others' validators say."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import stix2
import yaml
from sigma.collection import SigmaCollection
from stix2patterns.validator import validate as validate_pattern

from immure.custody.signer import Signer
from immure.response.advisory.draft import LABELS, Draft
from immure.response.advisory.errors import RevisionError
from immure.response.advisory.publishing import Written, put_out, write_advisory
from immure.response.advisory.revisions import revisions_of
from immure.response.bundle import export
from immure.response.errors import BusyError, ConflictError, FormError, IncidentError
from immure.response.incident import Incident
from immure.response.named_files import named_files
from immure.response.timeline import Confidence
from response.advisory.making import draft, faults
from response.house import in_child
from response.notification.making import CONTOSO, FABRIKAM, GAP, QUIET, Clock, add_radius, radius

LATER = ("left the room", "stayed in the room")


def write(incident: Incident, given: Draft | None = None, **words: str) -> Written:
    return write_advisory(incident, given or draft(), actor="ann", clock=Clock(1_800_000_000), **words)


def csaf(made: Written) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(made.files["example-2026-0001.json"])
    assert faults(value) == []
    return value["document"]


def stix(made: Written) -> stix2.Bundle:
    value = json.loads(made.files["example-2026-0001.stix.json"])
    return stix2.parse(value, allow_custom=False)


def titles(document: dict[str, Any]) -> dict[str, str]:
    return {note["title"]: note["text"] for note in document["notes"]}


def test_the_first_version(incident: Incident) -> None:
    made = write(incident)
    document = csaf(made)
    assert document["category"] == "csaf_security_incident_response"
    assert document["tracking"]["version"] == "1"
    assert [one["summary"] for one in document["tracking"]["revision_history"]] == ["First version."]
    assert "How far the key reached has not been worked out yet." in titles(document)["What is not known"]
    assert titles(document)["Finding dump (confirmed)"].startswith("The key was in")
    entry = incident.entries()[-1]
    assert entry.kind == "advisory"
    for name in named_files(incident.entries()):
        assert (incident.folder / name).read_bytes() == made.files[Path(name).name]


def test_a_bundle_has_it_and_holds(incident: Incident, key: Signer, tmp_path: Path) -> None:
    made = write(incident, draft(("EXAMPLE-2026-0001", "A+B 2026")))
    assert "a+b_2026.json" in made.files
    names = [
        f"work/advisory-a_b_2026-0001/a_b_2026{suffix}" for suffix in (".json", ".stix.json", ".md", ".html")
    ]
    assert set(named_files(incident.entries())) == set(names)
    export(incident, tmp_path / "bundle.tar", key=key)
    with tarfile.open(tmp_path / "bundle.tar") as tar:
        assert {f"incident/{name}" for name in names} <= set(tar.getnames())


@pytest.mark.parametrize("status", ["draft", "interim", "final"])
@pytest.mark.parametrize("tlp", LABELS)
def test_others_find_nothing_wrong(incident: Incident, status: str, tlp: str) -> None:
    add_radius(incident, radius(CONTOSO, FABRIKAM, QUIET, unknown=(GAP,)))
    made = write(incident, draft(('tlp = "white"', f'tlp = "{tlp}"\nstatus = "{status}"')))
    assert csaf(made)["distribution"]["tlp"]["label"] == tlp.upper()
    assert {type(one).__name__ for one in stix(made).objects} >= {"Identity", "Indicator", "Report", "Note"}


def test_how_sure_it_is_stands_in_the_timeline(incident: Incident) -> None:
    entry = incident.add("fact", {"says": "left"}, actor="bo", confidence=Confidence.LIKELY)
    made = write(incident, draft(("entry = 0", f"entry = {entry.sequence}")))
    assert "Finding dump (likely)" in titles(csaf(made))


def test_the_extent_is_counts_and_names_nobody(incident: Incident) -> None:
    add_radius(incident, radius(CONTOSO, FABRIKAM, QUIET))
    made = write(incident)
    words = "at least 2. Tenants affected: at least 1; of 1 more tenant it is not known."
    assert words in titles(csaf(made))["Finding extent (confirmed)"]
    for data in made.files.values():
        assert b"contoso" not in data
        assert b"ada@" not in data


def test_nothing_new_is_no_version(incident: Incident) -> None:
    first = write(incident)
    again = write(incident, summary="x", correction="y")
    assert not again.new
    assert again.files == first.files
    assert len(revisions_of(incident.entries(), "EXAMPLE-2026-0001")) == 1


def test_a_changed_finding_forces_a_correction(incident: Incident) -> None:
    write(incident)
    before = len(incident.entries())
    for words in ({}, {"summary": "more is known"}):
        with pytest.raises(
            RevisionError, match=r"version 1 said otherwise of dump: .*--correction"
        ) as caught:
            write(incident, draft(LATER), **words)
        assert caught.value.rule == "correction-missing"
    assert len(incident.entries()) == before
    assert not list(incident.work.glob("advisory-*-0002"))
    made = write(incident, draft(LATER), correction="No dump with the key was found.")
    document = csaf(made)
    assert document["tracking"]["version"] == "2"
    history = [one["summary"] for one in document["tracking"]["revision_history"]]
    assert history == ["First version.", "Correction: No dump with the key was found."]
    note = titles(document)["Correction in version 2"]
    assert 'Finding dump was: "The key was in a memory image that left the room." (confirmed).' in note
    assert 'Now: "The key was in a memory image that stayed in the room." (confirmed).' in note
    for name in ("example-2026-0001.md", "example-2026-0001.html"):
        assert "No dump with the key was found" in made.files[name].decode()
    entry = incident.entries()[-1]
    assert entry.corrects is not None
    assert incident.entries()[entry.corrects].body["number"] == 1


def test_a_finding_that_is_dropped_forces_a_correction(incident: Incident) -> None:
    second = ("[[references]]", '[findings.second]\nentry = 0\ntext = "And more."\n\n[[references]]')
    write(incident, draft(second))
    with pytest.raises(RevisionError, match="of second:"):
        write(incident)
    made = write(incident, correction="There was no more.")
    assert "Finding second was" in titles(csaf(made))["Correction in version 2"]
    assert "It is not said any more." in titles(csaf(made))["Correction in version 2"]


def test_a_changed_radius_forces_a_correction(incident: Incident) -> None:
    entry = add_radius(incident, radius(CONTOSO))
    write(incident)
    add_radius(incident, radius(replace(CONTOSO, tokens=9)), corrects=entry)
    with pytest.raises(RevisionError, match="of extent:"):
        write(incident)
    assert write(incident, correction="More tokens were found.").revision.number == 2


def test_a_changed_confidence_forces_a_correction(incident: Incident) -> None:
    sure = incident.add("fact", {"says": "left"}, actor="bo").sequence
    less = incident.add("fact", {"says": "left"}, actor="bo", confidence=Confidence.POSSIBLE).sequence
    write(incident, draft(("entry = 0", f"entry = {sure}")))
    with pytest.raises(RevisionError, match="of dump:"):
        write(incident, draft(("entry = 0", f"entry = {less}")))


def test_something_new_needs_words_but_no_correction(incident: Incident) -> None:
    write(incident)
    more = draft(('value = "192.0.2.7"', 'value = "192.0.2.8"'))
    with pytest.raises(RevisionError, match=r"something is new since version 1: .*--summary"):
        write(incident, more)
    with pytest.raises(FormError, match="it is no correction"):
        write(incident, more, correction="x")
    made = write(incident, more, summary="Another address.")
    assert [one["summary"] for one in csaf(made)["tracking"]["revision_history"]] == [
        "First version.",
        "Another address.",
    ]
    assert "Correction in version 2" not in titles(csaf(made))


def test_corrections_stay_in_later_versions(incident: Incident) -> None:
    write(incident)
    write(incident, draft(LATER), correction="It stayed.")
    made = write(incident, draft(), correction="It left after all.")
    document = csaf(made)
    assert {"Correction in version 2", "Correction in version 3"} <= set(titles(document))
    assert document["tracking"]["version"] == "3"
    assert len(stix(made).objects) == len({one["id"] for one in stix(made).objects})


def test_a_clock_that_was_put_back_does_not_turn_the_history_around(incident: Incident) -> None:
    write(incident)
    made = write_advisory(incident, draft(LATER), actor="ann", correction="x", clock=Clock(1_700_000_000))
    dates = [one["date"] for one in csaf(made)["tracking"]["revision_history"]]
    assert dates == sorted(dates)


def test_a_finding_on_a_corrected_entry_is_refused(incident: Incident) -> None:
    wrong = incident.add("fact", {"says": "it left"}, actor="bo").sequence
    given = draft(("entry = 0", f"entry = {wrong}"))
    write(incident, given)
    right = incident.add("correction", {"says": "it did not"}, actor="bo", corrects=wrong).sequence
    with pytest.raises(ConflictError, match=rf"rests on entry {wrong}, which entry {right} corrects"):
        write(incident, given, correction="x")


def test_a_finding_that_another_fact_contradicts_is_refused(incident: Incident) -> None:
    facts = [
        incident.add("fact", {"says": "x", "about": "stolen", "value": value}, actor="bo").sequence
        for value in ("April", "May")
    ]
    with pytest.raises(ConflictError, match=f"entry {facts[1]} says otherwise"):
        write(incident, draft(("entry = 0", f"entry = {facts[0]}")))


def test_two_radii_are_refused(incident: Incident) -> None:
    add_radius(incident, radius(CONTOSO))
    add_radius(incident, radius(FABRIKAM))
    with pytest.raises(ConflictError, match="two blast radii"):
        write(incident)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("entry = 0", "entry = 99"), "rests on entry 99, and there is none"),
        (("entry = 0", "entry = 1"), "which is a role and no fact"),
        (("[findings.dump]", "[findings.extent]"), "is written by the program"),
    ],
)
def test_drafts_that_do_not_fit_the_timeline(incident: Incident, change: tuple[str, str], words: str) -> None:
    with pytest.raises(FormError, match=words):
        write(incident, draft(change))


@pytest.mark.parametrize("words", ["a\nb", "x" * 2001, "\x07"])
def test_words_are_a_line(incident: Incident, words: str) -> None:
    with pytest.raises(FormError, match="is a line of up to"):
        write(incident, summary=words)


def test_two_at_once(incident: Incident) -> None:
    with incident.alone("advisory"), pytest.raises(BusyError):
        write(incident)


def test_what_a_killed_run_left_is_written_anew(incident: Incident) -> None:
    left = incident.work / "advisory-example-2026-0001-0001"
    left.mkdir()
    (left / "half").write_text("{")
    write(incident)
    assert sorted(path.suffix for path in left.iterdir()) == [".html", ".json", ".json", ".md"]


def test_put_out_with_the_digests_that_csaf_asks_for(incident: Incident, tmp_path: Path) -> None:
    made = write(incident)
    written = put_out(made.files, tmp_path / "out")
    assert {path.name for path in written} == {
        "example-2026-0001.json",
        "example-2026-0001.json.sha256",
        "example-2026-0001.json.sha512",
        "example-2026-0001.stix.json",
        "example-2026-0001.md",
        "example-2026-0001.html",
    }
    checked = subprocess.run(
        ["sha512sum", "-c", "example-2026-0001.json.sha512"],
        cwd=tmp_path / "out",
        capture_output=True,
        check=False,
    )
    assert checked.returncode == 0


HOSTILE = 'it\'s \\ "x" <script>alert(1)</script> & | ] | AND [a:b = 1'


def test_hostile_text_is_text_in_every_form(incident: Incident) -> None:
    quoted = json.dumps(HOSTILE)
    given = draft(
        ('title = "A key of Example Login was known to others"', f"title = {quoted}"),
        ('text = "The key was in a memory image that left the room."', f"text = {quoted}"),
        ('kind = "ipv4"\nvalue = "192.0.2.7"', f'kind = "user-agent"\nvalue = {quoted}'),
    )
    made = write(incident, given)
    assert csaf(made)["title"] == HOSTILE
    html = made.files["example-2026-0001.html"].decode()
    assert "<script>" not in html
    markdown = made.files["example-2026-0001.md"].decode()
    assert "<script>" not in re.sub(r"\\[<>]", "", markdown)
    (pattern,) = [one.pattern for one in stix(made).objects if getattr(one, "pattern_type", "") == "stix"]
    assert validate_pattern(pattern)
    assert pattern.count(" AND ") == 1


def test_markdown_is_what_it_says_to_a_parser(incident: Incident) -> None:
    from markdown_it import MarkdownIt

    given = draft(
        ('text = "The key was in a memory image that left the room."', f"text = {json.dumps(HOSTILE)}")
    )
    made = write(incident, given)
    tokens = MarkdownIt("commonmark").enable("table").parse(made.files["example-2026-0001.md"].decode())
    inline = [token.content for token in tokens if token.type == "inline"]
    assert not [token for token in tokens if token.type.startswith("html")]
    children = [one for token in tokens if token.type == "inline" for one in token.children or ()]
    texts = "".join(one.content for one in children if one.type in ("text", "text_special"))
    assert HOSTILE in texts
    assert not [one for one in children if one.type == "html_inline"]
    assert inline


def test_the_rule_for_the_key_is_one_of_sigma(incident: Incident) -> None:
    made = write(incident)
    (pattern,) = [one.pattern for one in stix(made).objects if getattr(one, "pattern_type", "") == "sigma"]
    rule = yaml.safe_load(pattern)
    assert rule["detection"]["selection"] == {"kid": "k1", "iss": "https://login.example"}
    assert len(SigmaCollection.from_yaml(pattern).rules) == 1


def test_objects_of_stix_stay_the_same_over_versions(incident: Incident) -> None:
    first = stix(write(incident))
    second = stix(write(incident, draft(LATER), correction="It stayed."))
    before, after = ({one["id"]: one for one in made.objects} for made in (first, second))
    assert set(before) < set(after)
    assert first["id"] != second["id"]
    for name, one in before.items():
        if "modified" in one:
            assert after[name]["created"] == one["created"]


@pytest.mark.parametrize(
    "change",
    [{"number": 7}, {"said": None}, {"changes": [1]}, {"changes": [{"finding": "x"}]}, {"at": "now"}],
    ids=str,
)
def test_a_version_that_the_timeline_garbles(incident: Incident, change: dict[str, Any]) -> None:
    write(incident)
    body = {**incident.entries()[-1].body, "number": 2, **change}
    incident.add("advisory", body, actor="mallory")
    with pytest.raises(IncidentError, match="is no version 2"):
        write(incident, draft(LATER), correction="x")


def test_the_validator_finds_what_is_wrong(incident: Incident) -> None:
    document = json.loads(write(incident).files["example-2026-0001.json"])
    assert faults(document) == []
    document["document"]["tracking"]["version"] = "2"
    assert [one for one in faults(document) if one.startswith("6.1.16")]
    del document["document"]["title"]
    assert [one for one in faults(document) if one.startswith("schema")]


def test_what_the_profile_asks_for(incident: Incident) -> None:
    """CSAF 2.0, section 4.2; the validator lets a document without references pass."""
    document = csaf(write(incident))
    assert {"description", "details", "general", "summary"} & {one["category"] for one in document["notes"]}
    assert "external" in {one["category"] for one in document["references"]}
    assert "product_tree" not in document


@pytest.mark.parametrize("step", ["before the name", "after the name", "after the entry"])
def test_killed_while_it_writes(incident: Incident, key: Signer, step: str) -> None:
    rename, add = os.rename, Incident.add

    def killed() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def renamed(source: str, target: str) -> None:
        if step == "before the name":
            killed()
        rename(source, target)
        if step == "after the name":
            killed()

    def added(*given: Any, **named: Any) -> Any:
        made = add(*given, **named)
        if step == "after the entry":
            killed()
        return made

    def work() -> None:
        os.rename = renamed  # type: ignore[assignment]
        Incident.add = added  # type: ignore[method-assign]
        write(Incident.load(incident.folder, key=key))

    assert in_child(work) == signal.SIGKILL
    made = write(incident)
    assert made.new == (step != "after the entry")
    assert len(revisions_of(incident.entries(), "EXAMPLE-2026-0001")) == 1
    for name in named_files(incident.entries()):
        assert (incident.folder / name).read_bytes() == made.files[Path(name).name]
