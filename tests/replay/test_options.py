"""What there is on this machine, what is taken of it, and what is said of what stands in."""

from __future__ import annotations

from types import ModuleType

import pytest

from immure.replay import front_door, options, responding
from immure.replay.errors import ReplayError
from immure.replay.options import (
    CustodyKind,
    MailKind,
    Options,
    custody_kind,
    lacking_controls,
    mail_kind,
)
from immure.replay.scenario import read_scenario
from immure.replay.soft_token import why_not

STORM = read_scenario("storm-0558")
LACKS = "SoftHSM2 is not installed (Debian: softhsm2)"


@pytest.mark.parametrize(
    ("custody", "real", "lacks", "kind", "said"),
    [
        ("auto", False, None, "pkcs11", ""),
        ("auto", True, None, "pkcs11", ""),
        ("pkcs11", False, None, "pkcs11", ""),
        ("auto", False, LACKS, "keyholder", "p11-kit server): SoftHSM2 is not installed"),
        ("keyholder", False, None, "keyholder", "as was asked for"),
    ],
)
def test_what_keeps_the_key(
    custody: CustodyKind,
    real: bool,
    lacks: str | None,
    kind: str,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(options, "why_not", lambda _: lacks)
    taken, words = custody_kind(Options(custody=custody, require_real=real), STORM)
    assert taken == kind
    assert said in " ".join(words)
    assert bool(words) == bool(said)


@pytest.mark.parametrize(
    ("custody", "real", "lacks", "error"),
    [
        ("pkcs11", False, LACKS, "there can be no PKCS#11 token here: SoftHSM2 is not installed"),
        ("auto", True, LACKS, "there can be no PKCS#11 token here"),
        ("keyholder", True, None, "the key holder was asked for, and real parts only"),
    ],
)
def test_what_cannot_keep_it(
    custody: CustodyKind, real: bool, lacks: str | None, error: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(options, "why_not", lambda _: lacks)
    with pytest.raises(ReplayError, match=error):
        custody_kind(Options(custody=custody, require_real=real), STORM)


def test_a_scenario_without_that_control_needs_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(options, "why_not", lambda _: LACKS)
    assert custody_kind(Options(require_real=True), read_scenario("leaked-secret")) == ("keyholder", ())


def test_a_directory_in_which_no_socket_can_be() -> None:
    assert why_not("/tmp/" + "x" * 70) == "the directory's name is too long for a socket in it"


@pytest.mark.parametrize(
    ("mail", "lacks", "kind", "said"),
    [
        ("auto", None, "dovecot", ""),
        ("dovecot", None, "dovecot", ""),
        ("http", None, "http", "as was asked for"),
        ("auto", "dovecot is not installed", "http", "stands in for Dovecot: dovecot is not installed"),
    ],
)
def test_which_mail_system(
    mail: MailKind, lacks: str | None, kind: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(options, "why_no_dovecot", lambda: lacks)
    taken, words = mail_kind(Options(mail=mail))
    assert taken == kind
    assert said in " ".join(words)


@pytest.mark.parametrize(
    ("made", "lacks"),
    [
        (Options(mail="http", require_real=True), None),
        (Options(mail="dovecot"), "dovecot is not installed"),
        (Options(require_real=True), "dovecot is not installed"),
    ],
)
def test_no_such_mail_system(made: Options, lacks: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(options, "why_no_dovecot", lambda: lacks)
    with pytest.raises(ReplayError, match=r"real parts only|no Dovecot here"):
        mail_kind(made)


@pytest.mark.parametrize(
    ("module", "name", "scenario", "lacking"),
    [
        (front_door, "access", "storm-0558", {"access"}),
        (responding, "response", "storm-0558", {"response"}),
        (front_door, "access", "golden-token", set()),  # which has no such control
    ],
)
def test_a_control_whose_part_is_not_installed(
    module: ModuleType, name: str, scenario: str, lacking: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "find_spec", lambda _: None)
    found, words = lacking_controls(Options(), read_scenario(scenario))
    assert found == lacking
    assert [f"the control {name} is off" in one for one in words] == [True] * len(lacking)
    if lacking:
        with pytest.raises(ReplayError, match=f"the control {name} cannot be on: .*is not installed"):
            lacking_controls(Options(require_real=True), read_scenario(scenario))


def test_nothing_is_lacking_here() -> None:
    assert lacking_controls(Options(require_real=True), STORM) == (frozenset(), ())
