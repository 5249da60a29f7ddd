"""An advisory as CSAF 2.0 (OASIS Standard, 2022), profile "security incident response" (section 4.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from immure.response.advisory.content import Content
from immure.response.advisory.revisions import Revision
from immure.response.moments import to_text
from immure.scanning.report import tool

CATEGORY: Final = "csaf_security_incident_response"
_TLP: Final = "https://www.first.org/tlp/"


def to_csaf(content: Content, revisions: Sequence[Revision]) -> dict[str, Any]:
    """The document; the last of ``revisions`` is the version that it is."""
    draft = content.draft
    return {
        "document": {
            "category": CATEGORY,
            "csaf_version": "2.0",
            "distribution": {"tlp": {"label": draft.tlp.upper(), "url": _TLP}},
            "lang": draft.language,
            "notes": notes(content, revisions),
            "publisher": _publisher(content),
            "references": _references(content),
            "title": draft.title,
            "tracking": _tracking(content, revisions),
        }
    }


def notes(content: Content, revisions: Sequence[Revision]) -> list[dict[str, str]]:
    """What the advisory says, as notes: summary, findings, what is not known, and what was taken back."""
    made = [{"category": "summary", "text": content.draft.summary, "title": "Summary"}]
    key = f"The key {content.kid}" + (f" of {content.issuer}" if content.issuer else "")
    made.append({"category": "description", "text": f"{key}. Incident {content.incident}.", "title": "Key"})
    for one in content.findings:
        title = f"Finding {one.name} ({one.confidence})"
        made.append({"category": "details", "text": one.text, "title": title})
    if content.unknown:
        text = " ".join(content.unknown)
        made.append({"category": "details", "text": text, "title": "What is not known"})
    for revision in revisions:
        if revision.correction:
            title = f"Correction in version {revision.number}"
            made.append({"category": "details", "text": correction_words(revision), "title": title})
    return made


def correction_words(revision: Revision) -> str:
    """What a version takes back, finding by finding."""
    parts = [revision.correction]
    for one in revision.changes:
        was, now = one["was"], one["is"]
        after = f"Now: {_said(now)}" if now is not None else "It is not said any more."
        parts.append(f"Finding {one['finding']} was: {_said(was)} {after}")
    return " ".join(parts)


def _said(one: Any) -> str:
    return f'"{one["text"]}" ({one["confidence"]}).'


def _publisher(content: Content) -> dict[str, str]:
    publisher = content.draft.publisher
    made = {
        "category": publisher.category,
        "name": publisher.name,
        "namespace": publisher.namespace,
    }
    if publisher.contact:
        made["contact_details"] = publisher.contact
    return made


def _references(content: Content) -> list[dict[str, str]]:
    draft = content.draft
    made = [{"category": "external", "summary": one.summary, "url": one.url} for one in draft.references]
    if draft.published_at:
        url = f"{draft.published_at.rstrip('/')}/{draft.file_name}.json"
        made.append({"category": "self", "summary": "The canonical URL of this document.", "url": url})
    return made


def _tracking(content: Content, revisions: Sequence[Revision]) -> dict[str, Any]:
    last = revisions[-1]
    return {
        "current_release_date": to_text(last.at),
        "generator": {
            "date": to_text(last.at),
            "engine": {"name": tool.NAME, "version": tool.version()},
        },
        "id": content.draft.id,
        "initial_release_date": to_text(revisions[0].at),
        "revision_history": [
            {"date": to_text(one.at), "number": str(one.number), "summary": one.words} for one in revisions
        ],
        "status": content.draft.status,
        "version": str(last.number),
    }
