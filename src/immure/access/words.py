"""Documents in words: what a person reads before they touch their key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

Words = list[str]


def words(document: Mapping[str, Any]) -> tuple[str, ...]:
    """What ``document`` says, a line for each thing. What has no words of its own is shown by its name.

    Whatever would begin a line, or turn the direction of one, is shown as its number: nobody writes lines
    into what others read before they sign.
    """
    act = str(document.get("act"))
    lines = [f"{document.get('account')}: {_HEADS.get(act, act)}"]
    body = {name: value for name, value in document.items() if name not in _COMMON}
    teller = _TELLERS.get(act)
    lines += teller(body) if teller is not None else _plain(body)
    return tuple(one_line(line) for line in lines)


def one_line(text: str) -> str:
    """A text of which every character can be seen.

    >>> one_line("a\\nb")
    'a\\\\u{a}b'
    """
    return "".join(one if one.isprintable() else f"\\u{{{ord(one):x}}}" for one in text)


_COMMON: Final = frozenset({"v", "room", "act", "account", "issued", "nonce"})
_HEADS: Final = {
    "found": "found this room, with these people and keys, under this policy",
    "register": "register a hardware key",
    "request": "ask for",
    "approve": "APPROVE",
    "deny": "deny the request",
    "enter": "go in",
    "sign-in": "sign in, to look",
    "revoke": "revoke the grant",
    "close": "give the grant back",
    "break-glass": "BREAK THE GLASS: go in without approval. Everybody is alarmed, and it will be reviewed",
    "review": "review what was done behind broken glass",
    "suspend": "suspend",
    "leave": "let go, for good",
    "lost-key": "report a hardware key as lost",
    "retire": "retire a workstation",
}
_NAMES: Final = {
    "resource": "what",
    "actions": "to do",
    "purpose": "because",
    "ticket": "ticket",
    "subject": "whom",
    "needed": "approvals",
    "expires": "good until",
    "person": "person",
}


def subject_words(kind: str, subject: Mapping[str, Any]) -> Words:
    """What is asked for."""
    shown = sorted(subject, key=lambda name: (_ORDER.index(name) if name in _ORDER else len(_ORDER), name))
    body = {name: subject[name] for name in shown if name not in ("text", "handle", "hours", "evidence")}
    lines = [_KINDS.get(kind, kind), *_plain(body)]
    if "hours" in subject:
        lines.append(f"  for: {subject['hours']} hours from the last approval on")
    return [one_line(line) for line in lines]


#: What comes first; the rest follows by name.
_ORDER: Final = ("resource", "actions", "purpose", "ticket", "account", "person", "roles", "screening")
_KINDS: Final = {
    "grant": "a grant",
    "enrol": "that a new person is enrolled",
    "key": "one more hardware key",
    "screening": "a newer screening record",
    "reinstate": "that a suspended person may come back",
    "workstation": "a workstation",
    "policy": "another policy; read its text before you approve",
}


def _request(body: Mapping[str, Any]) -> Words:
    asked = subject_words(str(body.get("kind")), body.get("subject") or {})
    return [*asked, f"  request: {body.get('request')}"]


def _approve(body: Mapping[str, Any]) -> Words:
    request: Mapping[str, Any] = body.get("request") or {}
    lines = subject_words(str(request.get("kind")), request.get("subject") or {})
    lines.append(
        f"  asked by: {request.get('account')} ({request.get('person')}) at {request.get('created')}"
    )
    lines.append(f"  approvals: {request.get('needed')} are needed, until {request.get('expires')}")
    lines += [f"  hardware key: {_key(key)}" for key in body.get("keys") or []]
    lines.append(f"  request: {request.get('id')}")
    return lines


def _found(body: Mapping[str, Any]) -> Words:
    lines = []
    for founder in body.get("founders") or []:
        who = f"{founder.get('account')} ({founder.get('person')})"
        screened = f"screened to {founder.get('level')} by {founder.get('attester')}"
        roles = f", as {', '.join(founder['roles'])}" if founder.get("roles") else ""
        lines.append(f"  {who}, {screened} until {founder.get('expires')}{roles}")
        lines += [f"    hardware key: {_key(key)}" for key in founder.get("keys") or []]
    return [*lines, f"  policy: sha256:{body.get('policy')}"]


def _key(key: Mapping[str, Any]) -> str:
    return f"{key.get('model')}, {str(key.get('fingerprint'))[:32]}"


def _plain(body: Mapping[str, Any], indent: str = "  ") -> Words:
    lines: Words = []
    for name, value in body.items():
        label = f"{indent}{_NAMES.get(name, name)}: "
        if isinstance(value, Mapping):
            lines += [label.rstrip(), *_plain(value, indent + "  ")]
        elif isinstance(value, list):
            lines.append(label + (", ".join(str(one) for one in value) or "none"))
        else:
            lines.append(f"{label}{value}")
    return lines


_TELLERS: Final[dict[str, Callable[[Mapping[str, Any]], Words]]] = {
    "request": _request,
    "approve": _approve,
    "found": _found,
}
