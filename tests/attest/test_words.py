"""What people are shown of a clearance."""

from __future__ import annotations

from immure.attest.clearance import Clearance
from immure.attest.words import describe

from .samples import DIGEST, FULL, THUMBPRINT, clearance, full

NASTY = "a\x1b[31m\u202e\nb"


def lines(value=None):
    made = clearance() if value is None else Clearance.from_json(value)
    return list(describe(made.statement("app.core", DIGEST.sha256), made))


def test_everything_is_shown():
    assert lines() == [
        "Subject       app.core",
        f"              sha256 {DIGEST.sha256}",
        "              ELF core, zstd, 23.4 KiB",
        f"Made of       sha256 {'0' * 64}, 4.6 KiB",
        "Made by       immure 0.2.0",
        "Holds         from 2026-11-25T11:00:00Z to 2026-12-02T11:00:00Z",
        "Searched      exhaustive; detectors: rsa, montgomery, ec and structure",
        "              for 1 named key, and keys that the image itself names",
        f'              - RSA key "prod-1" {THUMBPRINT} of https://login.example/ from jwks.json',
        "              for texts: tokens",
        "              for given private keys: trial.key",
        "              for given secrets: database password",
        "              kept of memory: all",
        "Not searched  1 range",
        "              - 100 bytes in 1 range by ec: quick mode",
        "Found         1 private key in the source",
        f'              - RSA key "prod-1" {THUMBPRINT} (named) in 4 places: a 1024-bit number divides n;'
        " 12 bits of it left",
        "Erased        428 bytes in 2 places",
        f"              - 1 × p as le64 of {THUMBPRINT}",
        "              - 1 × jwt",
        "Proof         holds",
        "              not everything could be tried",
        "              23.4 KiB searched again: 0 fragments of a secret",
        "              - scan: ok",
        "              - debugger: not done, gdb is not installed",
        f"              - 12 of 9,216 bits left of RSA-2048 {THUMBPRINT};"
        " 0.1% by random bits, which needs 27.0%",
        "Decision      may leave by the policy with",
        f"              sha256 {'ab' * 32}",
        "              - required detectors",
        "              - age",
    ]


def test_what_is_bad_is_loud():
    value = full()
    value["proof"] |= {
        "holds": False,
        "checks": [{"name": "scan", "status": "failed", "detail": "a fragment"}],
    }
    value["decision"]["allowed"] = False
    shown = lines(value)
    assert "Proof         DOES NOT HOLD" in shown
    assert "              - scan: FAILED, a fragment" in shown
    assert "Decision      MAY NOT LEAVE by the policy with" in shown


def test_what_is_not_there_is_said():
    value = FULL | {"not_searched": [], "findings": [], "redactions": [], "decision": None}
    shown = lines(value)
    assert "Not searched  nothing was left out" in shown
    assert "Found         0 private keys in the source" in shown
    assert "Erased        0 bytes in 0 places" in shown
    assert "Decision      no policy was asked" in shown


def test_foreign_text_cannot_act_on_a_terminal():
    value = full()
    value["tool"]["name"] = value["dump"]["format"] = value["dump"]["codec"] = NASTY
    searched = value["searched"]
    for name in ("detectors", "texts", "known", "secrets", "keep"):
        searched[name] = [NASTY]
    searched["keys"][0] |= {"kid": NASTY, "issuer": NASTY, "source": NASTY}
    value["not_searched"][0] |= {"detector": NASTY, "reason": NASTY}
    value["findings"][0]["proof"] = value["findings"][0]["key"]["kid"] = NASTY
    value["redactions"][0] |= {"kind": NASTY, "encoding": NASTY}
    value["proof"]["checks"][0] |= {"name": NASTY, "detail": NASTY}
    value["proof"]["residues"][0] |= {"key": NASTY, "kind": NASTY}
    value["proof"]["residues"][0]["bounds"][0]["name"] = NASTY
    value["decision"]["rules"] = [NASTY]
    made = Clearance.from_json(value)
    shown = list(describe(made.statement(NASTY, DIGEST.sha256), made))
    assert all(line.isprintable() for line in shown)
    assert sum(line.count("\\x1b[31m\\u202e\\x0ab") for line in shown) == 24


def test_long_lists_are_cut():
    value = full()
    value["redactions"] = [{**value["redactions"][0], "kind": f"k{number}"} for number in range(30)]
    shown = lines(value)
    assert "              … and 20 more" in shown
    assert len(shown) < 45
