"""Writes a version of an advisory: every form of it, and the entry that says so.

A version that says something else than the last needs the words why. What was said and is not so any more is
a correction: without words for it nothing is written.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from immure import clock
from immure.files import write_whole
from immure.response.advisory.content import Content, content_of, differences
from immure.response.advisory.csaf import to_csaf
from immure.response.advisory.draft import MOST_TEXT, Draft
from immure.response.advisory.errors import RevisionError
from immure.response.advisory.page import to_html, to_markdown
from immure.response.advisory.revisions import KIND, Revision, revisions_of
from immure.response.advisory.stix import to_stix
from immure.response.errors import FormError, ResponseError
from immure.response.incident import Incident
from immure.response.notification.new_folder import new_folder
from immure.response.timeline import JsonValue

_FIRST: Final = "First version."


@dataclass(frozen=True, slots=True)
class Written:
    """A version of an advisory.

    Attributes:
        revision: which.
        files: its forms, by the names of their files.
        new: whether it was not there before.
    """

    revision: Revision
    files: Mapping[str, bytes]
    new: bool


def write_advisory(
    incident: Incident,
    draft: Draft,
    *,
    actor: str,
    summary: str = "",
    correction: str = "",
    clock: clock.Clock = clock.now,
) -> Written:
    """Write the next version of an advisory, or the last once more if nothing has changed.

    Args:
        incident: the record.
        draft: what people wrote.
        actor: who writes it.
        summary: what is new; needed from the second version on.
        correction: what is taken back; needed if something that was said is not said any more.
        clock: tells the time.

    Raises:
        RevisionError: the words are missing.
        FormError: the draft does not fit the timeline; a text is too long.
        ConflictError: it rests on what was corrected, or is contradicted.
        ResponseError: nothing can be written.
        BusyError: somebody else writes an advisory at this moment.
    """
    for name, text in (("summary", summary), ("correction", correction)):
        if len(text) > MOST_TEXT or (text and not text.isprintable()):
            raise FormError(f"the {name} is a line of up to {MOST_TEXT} characters")
    with incident.alone("advisory"):
        content = content_of(incident, draft)
        before = revisions_of(incident.entries(), draft.id)
        if before and before[-1].content == content.digest:
            return Written(before[-1], forms(content, before), new=False)
        revision = _next(content, before, summary, correction, int(clock().timestamp()))
        files = forms(content, [*before, revision])
        named = _put(incident, revision.number, draft, files)
        corrects = before[-1].entry if revision.correction else None
        entry = incident.add(KIND, _body(content, revision, named), actor=actor, corrects=corrects)
        return Written(_with_entry(revision, entry.sequence), files, new=True)


def forms(content: Content, revisions: list[Revision]) -> dict[str, bytes]:
    """Every form of the version that is the last of ``revisions``, by the name of its file."""
    name = content.draft.file_name
    return {
        f"{name}.json": _json(to_csaf(content, revisions)),
        f"{name}.stix.json": _json(to_stix(content, revisions)),
        f"{name}.md": to_markdown(content, revisions).encode(),
        f"{name}.html": to_html(content, revisions).encode(),
    }


def put_out(files: Mapping[str, bytes], folder: Path) -> list[Path]:
    """Write the forms, and the digests that CSAF asks for (section 7.1.18), into a folder.

    Raises:
        ResponseError: they cannot be written.
    """
    made = dict(files)
    for name, data in files.items():
        if name.endswith(".json") and not name.endswith(".stix.json"):
            for kind in ("sha256", "sha512"):
                made[f"{name}.{kind}"] = f"{hashlib.new(kind, data).hexdigest()}  {name}\n".encode()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in made.items():
            write_whole(folder / name, data)
    except OSError as error:
        raise ResponseError(f"cannot be written: {error.strerror}", path=str(folder)) from error
    return [folder / name for name in made]


def _next(content: Content, before: list[Revision], summary: str, correction: str, now: int) -> Revision:
    number, said = len(before) + 1, content.said()
    if not before:
        return Revision(number, now, summary or _FIRST, "", (), content.digest, said)
    changed = differences(before[-1].said, said)
    if changed and not correction:
        names = ", ".join(one["finding"] for one in changed)
        raise RevisionError(
            f"version {before[-1].number} said otherwise of {names}: say what was wrong (--correction)",
            rule="correction-missing",
        )
    if not changed and correction:
        raise FormError("nothing that was said is taken back: it is no correction (--summary)")
    if not changed and not summary:
        raise RevisionError(
            f"something is new since version {before[-1].number}: say what (--summary)",
            rule="summary-missing",
        )
    at = max(now, before[-1].at)  # a clock that was put back must not turn the history around
    return Revision(number, at, summary, correction, tuple(changed), content.digest, said)


def _put(incident: Incident, number: int, draft: Draft, files: Mapping[str, bytes]) -> list[JsonValue]:
    """Put the forms into ``work/``; what the entry says of them."""
    name = _plain(f"advisory-{draft.file_name[:80]}-{number:04d}")
    target = incident.work / name
    try:
        with new_folder(target) as folder:
            for file, data in files.items():
                folder.write(_plain(file), data)
            folder.appear()
    except OSError as error:
        raise ResponseError(f"cannot be written: {error.strerror}", path=str(target)) from error
    return [
        {"file": f"work/{name}/{_plain(file)}", "sha256": hashlib.sha256(data).hexdigest()}
        for file, data in files.items()
    ]


def _body(content: Content, revision: Revision, named: list[JsonValue]) -> dict[str, JsonValue]:
    words = f"advisory {content.draft.id}, version {revision.number}: {revision.words}"
    return {
        "advisory": content.draft.id,
        "number": revision.number,
        "at": revision.at,
        "summary": revision.summary,
        "correction": revision.correction,
        "changes": list(revision.changes),
        "content": revision.content,
        "said": revision.said,
        "radius": content.radius or None,
        "files": named,
        "says": words,
    }


def _with_entry(revision: Revision, entry: int) -> Revision:
    return Revision(
        revision.number, revision.at, revision.summary, revision.correction, revision.changes,
        revision.content, revision.said, entry,
    )  # fmt: skip


def _plain(name: str) -> str:
    """A name as those of files in an incident are: without the one sign more that CSAF allows."""
    return name.replace("+", "_")


def _json(value: Any) -> bytes:
    """Members in alphabetical order, as CSAF recommends (test 6.2.13)."""
    return json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True).encode() + b"\n"
