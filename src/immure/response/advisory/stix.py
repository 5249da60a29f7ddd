"""An advisory as a bundle of STIX 2.1 (OASIS Standard, 10 June 2021).

Names of objects follow from the publisher, the advisory and what they are (UUIDv5), so that a later version
holds the same objects, modified.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from immure.response.advisory.content import Content
from immure.response.advisory.csaf import correction_words
from immure.response.advisory.draft import Indicator
from immure.response.advisory.revisions import Revision

_NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_URL, "https://immure.example/advisory")
#: The markings that STIX itself defines (section 7.2.1.4).
_MARKINGS: Final = {
    "white": "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9",
    "green": "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da",
    "amber": "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82",
    "red": "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed",
}
_PATTERNS: Final = {
    "ipv4": "[ipv4-addr:value = '{}']",
    "ipv6": "[ipv6-addr:value = '{}']",
    "domain": "[domain-name:value = '{}']",
    "user-agent": "[network-traffic:extensions.'http-request-ext'.request_header.'User-Agent' = '{}']",
}


def to_stix(content: Content, revisions: Sequence[Revision]) -> dict[str, Any]:
    """The bundle of the version that is the last of ``revisions``."""
    maker = _Maker(content, revisions)
    objects = maker.objects()
    name = maker.name("bundle", str(revisions[-1].number))
    return {"type": "bundle", "id": name, "objects": objects}


class _Maker:
    def __init__(self, content: Content, revisions: Sequence[Revision]) -> None:
        self._content, self._revisions = content, revisions
        self._created, self._modified = _moment(revisions[0].at), _moment(revisions[-1].at)

    def name(self, kind: str, key: str) -> str:
        draft = self._content.draft
        whole = f"{draft.publisher.namespace}\n{draft.id}\n{kind}\n{key}"
        return f"{kind}--{uuid.uuid5(_NAMESPACE, whole)}"

    def objects(self) -> list[dict[str, Any]]:
        draft = self._content.draft
        about = [self._identity(), self._attack(), self._incident()]
        indicators = [self._key(), *(self._indicator(one) for one in draft.indicators)]
        relations = [
            self._object(
                "relationship",
                f"indicates {one['id']}",
                relationship_type="indicates",
                source_ref=one["id"],
                target_ref=about[1]["id"],
            )
            for one in indicators
        ]
        made = [*about, *indicators, *relations, *self._notes(about[2]["id"])]
        return [_marking(draft.tlp), *made, self._report([one["id"] for one in made])]

    def _object(self, kind: str, key: str, /, **members: Any) -> dict[str, Any]:
        made = {
            "type": kind,
            "spec_version": "2.1",
            "id": self.name(kind, key),
            "created_by_ref": self.name("identity", "publisher"),
            "created": self._created,
            "modified": self._modified,
            "object_marking_refs": [_MARKINGS[self._content.draft.tlp]],
            **members,
        }
        if kind == "identity":
            del made["created_by_ref"]
        return made

    def _identity(self) -> dict[str, Any]:
        publisher = self._content.draft.publisher
        contact = {"contact_information": publisher.contact} if publisher.contact else {}
        return self._object(
            "identity", "publisher", name=publisher.name, identity_class="organization", **contact
        )

    def _attack(self) -> dict[str, Any]:
        return self._object(
            "attack-pattern",
            "T1606",
            name="Forge Web Credentials",
            external_references=[
                {
                    "source_name": "mitre-attack",
                    "external_id": "T1606",
                    "url": "https://attack.mitre.org/techniques/T1606",
                }
            ],
        )

    def _incident(self) -> dict[str, Any]:
        draft = self._content.draft
        return self._object("incident", "incident", name=draft.title, description=draft.summary)

    def _key(self) -> dict[str, Any]:
        """Tokens under the key, as a rule of Sigma: STIX has no pattern for the header of a token."""
        content = self._content
        return self._object(
            "indicator",
            "kid",
            name=f"Tokens under the key {content.kid}",
            indicator_types=["compromised"],
            pattern=_rule(content.kid, content.issuer),
            pattern_type="sigma",
            valid_from=self._created,
        )

    def _indicator(self, one: Indicator) -> dict[str, Any]:
        if one.kind == "kid":
            pattern, kind = _rule(one.value, ""), "sigma"
        else:
            escaped = re.sub(r"([\\'])", r"\\\1", one.value)
            pattern, kind = _PATTERNS[one.kind].format(escaped), "stix"
        description = {"description": one.description} if one.description else {}
        return self._object(
            "indicator",
            f"{one.kind} {one.value}",
            name=f"{one.kind} {one.value}",
            indicator_types=["malicious-activity"],
            pattern=pattern,
            pattern_type=kind,
            valid_from=self._created,
            **description,
        )

    def _notes(self, about: str) -> list[dict[str, Any]]:
        content = self._content
        made = [
            self._note(f"finding {one.name}", f"Finding {one.name} ({one.confidence})", one.text, about)
            for one in content.findings
        ]
        if content.unknown:
            made.append(self._note("unknown", "What is not known", " ".join(content.unknown), about))
        for one in self._revisions:
            if one.correction:
                title = f"Correction in version {one.number}"
                made.append(self._note(f"correction {one.number}", title, correction_words(one), about))
        return made

    def _note(self, key: str, abstract: str, text: str, about: str) -> dict[str, Any]:
        return self._object("note", key, abstract=abstract, content=text, object_refs=[about])

    def _report(self, refs: list[str]) -> dict[str, Any]:
        draft = self._content.draft
        return self._object(
            "report",
            "report",
            name=draft.title,
            description=draft.summary,
            report_types=["indicator"],
            published=self._created,
            object_refs=refs,
            external_references=[
                {"source_name": draft.publisher.name, "description": one.summary, "url": one.url}
                for one in draft.references
            ],
        )


def _marking(label: str) -> dict[str, Any]:
    return {
        "type": "marking-definition",
        "spec_version": "2.1",
        "id": _MARKINGS[label],
        "created": "2017-01-20T00:00:00.000Z",
        "definition_type": "tlp",
        "name": f"TLP:{label.upper()}",
        "definition": {"tlp": label},
    }


def _moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _rule(kid: str, issuer: str) -> str:
    """A rule of Sigma for tokens under a key. It is YAML, in which texts of JSON are texts."""
    chosen = {"kid": kid, **({"iss": issuer} if issuer else {})}
    selection = "".join(f"        {name}: {json.dumps(value)}\n" for name, value in chosen.items())
    return (
        f"title: {json.dumps(f'Token under the key {kid}')}\n"
        f"id: {uuid.uuid5(_NAMESPACE, f'{issuer} {kid}')}\n"
        "logsource:\n    category: authentication\n"
        f"detection:\n    selection:\n{selection}    condition: selection\n"
    )
