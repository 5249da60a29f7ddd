"""What is said when a token, a key or a policy is refused, to the letter: people search for these words.

To write ``refusals.txt`` anew: ``IMMURE_REWRITE=1 pytest tests/tokens/test_words.py``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from immure.errors import ImmureError
from immure.tokens import jws, presets
from immure.tokens.policy import IssuerRule
from immure.tokens.policy_file import parse_policy
from immure.tokens.sources.documents import key_set as parse_set
from tokens import test_dpop as dpop
from tokens import test_policy_file as files
from tokens import test_pools as pools
from tokens import test_rules as rules
from tokens.minting import Mint, jwk, policy, validator
from tokens.test_confirmation import REFUSED as UNPROVED
from tokens.test_jwks import ALGS, KEYS, SETS, changed
from tokens.test_validator import POLICIES, RULES, Changing

TRANSCRIPT = Path(__file__).with_name("refusals.txt")


def said(act, *arguments, **options) -> str:
    """What an attempt is refused with."""
    try:
        act(*arguments, **options)
    except ImmureError as error:
        words = f"{error.code}: {error}"
        return words.split(" is no TOML: ")[0]  # what Python says of it differs from version to version
    return "accepted"


def tables(tmp_path: Path) -> Iterator[tuple[str, str]]:
    for name, token, _ in rules.FORM + rules.HEADER:
        yield f"form {name}", said(validator().validate, token)
    for name, changes, _ in rules.CLAIMS:
        yield f"claims {name}", said(validator().validate, Mint().token(**changes))
    for name, members, changed_policy, rule, changes, _ in rules.POLICY:
        one = validator(jwk("Ed25519", **members), rule=rule, **changed_policy)
        yield f"policy {name}", said(one.validate, Mint().token(**changes))
    yield from of_keys()
    for name, token, given in UNPROVED:
        yield f"confirmation {name}", said(validator().validate, token, **given)
    for made in dpop.REFUSED:
        yield f"proof {made.id}", said(dpop.check, *made.values)
    for number, change in enumerate(POLICIES):
        yield f"policies {number}", said(policy, **change)
    for number, change in enumerate(RULES):
        given = {"source": Changing(None), "audience_class": "enterprise", **change}
        yield f"rules {number}", said(IssuerRule, **given)
    yield from of_files(tmp_path)


def of_keys() -> Iterator[tuple[str, str]]:
    for name, kind, members, _ in KEYS:
        one = validator(changed(kind, members), jwk("ES384"))
        yield f"keys {name}", said(one.validate, Mint(kind, ALGS[kind]).token())
    for name, keys, kid, _ in SETS:
        token = Mint("ES256", "ES256", header={"kid": kid}).token()
        text = json.dumps({"keys": keys}).encode()
        yield f"sets {name}", said(lambda text=text, token=token: jws.verify(token, parse_set(text, "keys")))
    for name in ("", "{}", '{"keys": [1]}', '{"keys": [], "keys": []}', json.dumps({"keys": [{}] * 20001})):
        yield f"no set {name[:30]}", said(parse_set, name.encode(), "keys")
    pooled = pools.validator(*pools.sources("static", pools.PLAIN, Path(os.devnull)))
    yield "pooled", said(pooled.validate, Mint().token(iss=pools.A, tid=None))


def of_files(tmp_path: Path) -> Iterator[tuple[str, str]]:
    (tmp_path / "keys.json").write_text(json.dumps({"keys": [jwk("Ed25519")]}))
    for number, (old, new) in enumerate(files.MISTAKES):
        text = files.POLICY.replace(old, new).encode()
        yield f"files {number}", said(parse_policy, text, str(tmp_path / "p")).replace(str(tmp_path), "DIR")
    for number, text in enumerate(files.MORE_MISTAKES):
        yield f"more files {number}", said(parse_policy, f"version = 1\n{text}".encode(), "p")
    yield "files long", said(parse_policy, b"#" * (1 << 21), "p")
    yield "files latin", said(parse_policy, b"\xe9", "p")
    yield "preset github", said(presets.github_actions, audience="x", repositories=[])
    yield "preset auth0", said(presets.auth0, domain="a/b", audience="x")
    yield "preset okta", said(presets.okta, domain="a.b", audience="x", server="../x")
    yield "preset cognito", said(presets.cognito, region="a", pool="b", client=[])


@pytest.mark.parametrize("rewrite", [bool(os.environ.get("IMMURE_REWRITE"))])
def test_every_refusal_says_what_it_always_said(tmp_path, rewrite):
    lines = [
        f"{name}: {words}".encode("ascii", "backslashreplace").decode() for name, words in tables(tmp_path)
    ]
    if rewrite:
        TRANSCRIPT.write_text("".join(f"{line}\n" for line in lines))
    assert lines == TRANSCRIPT.read_text().splitlines()
