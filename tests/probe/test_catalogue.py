"""The catalogue: its form, and what our own validator says to every token of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from immure.errors import UsageError
from immure.probe.answer import Outcome
from immure.probe.case import GROUPS, chosen
from immure.probe.catalogue import CATALOGUE
from immure.probe.channels.direct import DirectChannel
from immure.probe.errors import MissingError
from immure.probe.kit import Kit
from immure.probe.mint import Mint
from immure.probe.result import ProbeReport, Verdict
from immure.probe.run import Probe
from immure.tokens.errors import TokenError
from immure.tokens.policy_file import read_policy
from immure.tokens.validator import Validator

from .codes import CODES, TYPED
from .parties import at_once

BY_ID = {case.id: case for case in CATALOGUE}


class UsedBeforeError(TokenError):
    code = "used-before"


def once(validator: Validator) -> Callable[[str], object]:
    """A relying party that takes every ``jti`` once."""
    seen: set[str] = set()

    def validate(token: str) -> object:
        claims = validator.validate(token)
        if claims["jti"] in seen:
            raise UsedBeforeError("was here before")
        seen.add(claims["jti"])
        return claims

    return validate


@pytest.fixture(scope="module")
def report(kit: Kit, kit_directory: Path) -> ProbeReport:
    validate = once(Validator(read_policy(kit_directory / "policy.toml")))
    channel = DirectChannel(validate, TokenError)
    return Probe(channel, replace(kit, bound=True, single_use=True), CATALOGUE, pace=at_once()).run()


def test_ours_lets_nothing_in_that_must_be_refused(report: ProbeReport) -> None:
    assert report.verdict is Verdict.NOTHING
    assert report.is_complete
    assert {kid for kid, _, _ in report.keys} == {"enterprise-rs256", "enterprise-es256", "enterprise-eddsa"}


@pytest.mark.parametrize("name", BY_ID)
def test_ours_says_by_which_rule(report: ProbeReport, name: str) -> None:
    [result] = [one for one in report.results if one.case.id == name]
    wanted = {"let in": (Outcome.LET_IN, "returned"), "-": (Outcome.NOT_ASKED, result.answer.detail)}
    assert (result.answer.outcome, result.answer.detail) == wanted.get(
        CODES[name], (Outcome.REFUSED, CODES[name])
    )
    assert CODES[name] != "let in" or BY_ID[name].expected == "may"


def test_every_case_has_a_row() -> None:
    assert list(CODES) == list(BY_ID)


def test_types_of_access_tokens(kit: Kit, kit_directory: Path) -> None:
    policy = replace(read_policy(kit_directory / "policy.toml"), token_type="at+jwt")
    channel = DirectChannel(Validator(policy).validate, TokenError)
    report = Probe(channel, replace(kit, typ="at+jwt"), chosen(CATALOGUE, ["typ"]), pace=at_once()).run()
    seen = {one.case.id: one.answer.detail for one in report.results}
    assert {name: seen[name] for name in TYPED} == TYPED
    assert not report.holes


def test_ids_are_stable_names() -> None:
    assert len(BY_ID) == len(CATALOGUE)
    assert all(re.fullmatch("[a-z]+[.][a-z0-9-]+", name) for name in BY_ID)
    assert {case.group for case in CATALOGUE} == set(GROUPS)
    order = [case.group for case in CATALOGUE]
    assert order == sorted(order, key=order.index)


def test_every_case_names_a_standard() -> None:
    for case in CATALOGUE:
        assert re.search("RFC [0-9]{4}|OpenID|FIPS|NIST", case.reference), case.id
        assert case.title[0].isalnum()
        assert not case.title.endswith(".")


def test_tokens_are_the_same_each_time(kit: Kit) -> None:
    moment = 1_800_000_000
    full = replace(kit, bound=True, single_use=True)
    for case in CATALOGUE:
        if case.group in ("jwe", "typ") or case.id == "alg.rsa-used-for-pss":  # RSA-OAEP and PSS have chance
            continue
        try:
            first = case.tokens(Mint(full, moment))
        except MissingError:
            continue
        assert first == case.tokens(Mint(full, moment)), case.id


def test_no_two_cases_send_the_same_token(kit: Kit) -> None:
    mint = Mint(replace(kit, bound=True), 1_800_000_000)
    tokens: dict[str, str] = {}
    for case in CATALOGUE:
        try:
            made = case.tokens(mint)
        except MissingError:
            continue
        assert made[-1] not in tokens, (case.id, tokens.get(made[-1]))
        tokens[made[-1]] = case.id


def test_choosing() -> None:
    assert [case.id for case in chosen(CATALOGUE, ["alg.none"])] == ["alg.none"]
    assert {case.group for case in chosen(CATALOGUE, ["scope", "hmac.*"])} == {"scope", "hmac"}
    assert not {"scope"} & {case.group for case in chosen(CATALOGUE, [], ["scope"])}
    assert chosen(CATALOGUE, ["scope"], ["scope.incident"])[0].id != "scope.incident"
    with pytest.raises(UsageError, match="no case or group fits 'scoop'"):
        chosen(CATALOGUE, ["scoop"])
