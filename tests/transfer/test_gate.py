"""The gate: what may leave leaves, whole and once; everything else stays, and the log says why."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path

import pytest

from immure.auditlog import verify_log
from immure.errors import (
    ImmureError,
    LogError,
    PolicyError,
    RefusedError,
    TransferError,
    UsageError,
    VaultError,
)
from immure.transfer import FileSource, Request, VaultSource
from immure.transfer.gate import Step
from immure.transfer.rules import RULES
from immure.transfer.sources import Source

from .material import DUMP, NOW, OTHER_KEY, THUMBPRINT, World, sha256, signer


def test_what_is_cleared_leaves(world):
    receipt = world.release()
    assert (world.out / "app.core").read_bytes() == DUMP
    assert (world.out / "app.core").stat().st_mode & 0o7777 == 0o640 & ~_umask()
    assert world.kinds() == ["release.allowed", "release.done"]
    said = receipt.to_json()
    assert said["dump"]["sha256"] == sha256(DUMP)
    assert said["policy"]["sha256"] == sha256(world.policy.read_bytes())
    assert said["evidence"] == {"clearance": sha256(world.clearance.read_bytes()), "grant": None}
    assert said["signers"] == [world.signer.thumbprint]
    assert said["destination"] == f"file://{world.out}"
    assert (said["placed"], said["log"]["allowed"], said["log"]["done"]) == ("new", 0, 1)
    assert {rule["rule"] for rule in said["rules"]} == {rule.name for rule in RULES}
    verified = verify_log(world.top / "audit", public_key=world.log_signer.public_key)
    assert verified.checkpoint.note.decode() == said["log"]["checkpoint"]
    assert world.vault.verify("sha256:" + sha256(DUMP)).name == "app.core"


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_once_more_is_no_harm(world):
    world.release()
    assert world.release().placed == "present"
    assert world.kinds() == ["release.allowed", "release.done"] * 2


def test_out_of_the_vault(world):
    sealed = world.vault.seal([DUMP], name="captured.core", clock=world.clock)
    world.dump.unlink()
    request = world.request()
    world.gate().release(Request(VaultSource(sealed.id), request.clearance, request.destination, "app.core"))
    assert (world.out / "app.core").read_bytes() == DUMP


#: What is wrong in the clearance (member, value), and the rule that says no.
CLEARANCES = {
    "other size": ("dump.size", 5, "size"),
    "issued in the future": ("issued", "2026-11-25T12:06:00Z", "issued"),
    "expired": ("expires", "2026-11-25T12:00:00Z", "expired"),
    "expired long ago": ("expires", "2026-11-25T11:30:00Z", "expired"),
    "issued long ago": ("issued", "2026-11-24T11:59:59Z", "clearance-age"),
    "refused by its policy": (
        "decision",
        {"policy": "0" * 64, "allowed": False, "rules": ["size"]},
        "decision",
    ),
    "another format": ("dump.format", "hprof", "format"),
    "quick mode": ("searched.mode", "quick", "mode"),
    "a detector less": ("searched.detectors", ["rsa", "structure"], "detectors"),
    "without harvest": ("searched.harvest", False, "harvest"),
    "another key": ("searched.keys.0.thumbprint", OTHER_KEY, "keys"),
    "a gap": (
        "not_searched",
        [{"offset": 4096, "length": 1, "detector": "ec", "reason": "quick mode"}],
        "not-searched",
    ),
    "not erased": ("redactions.0.key", OTHER_KEY, "findings"),
    "too much left": ("proof.residues.0.bounds.0.share_ppm", 125_001, "residue"),
    "no bound": ("proof.residues.0.bounds", [], "residue"),
    "no residue": ("proof.residues", [], "residue"),
    "proof does not hold": ("proof.holds", False, "proof"),
    "fragments": ("proof.fragments", 1, "proof"),
    "a check that was not done": ("proof.checks.1.status", "not done", "proof"),
    "a check that is missing": ("proof.checks", [{"name": "scan", "status": "ok", "detail": ""}], "proof"),
}


@pytest.mark.parametrize(("member", "value", "rule"), CLEARANCES.values(), ids=CLEARANCES)
def test_a_clearance_that_says_too_little(world, member, value, rule):
    world.clear(member, value)
    refused(world, rule)


#: What is changed in the policy (text, other text), and the rule that says no.
POLICIES = {
    "another destination": ('allow = ["file://', 'allow = ["file:///elsewhere', "destination"),
    "no destination": ('allow = ["file://{out}"]', "allow = []", "destination"),
    "smaller": ('max_size = "4 MiB"', 'max_size = "2 MiB"', "max-size"),
    "no format": ('formats = ["elf-core"]', "formats = []", "format"),
    "younger": ('max_age = "30d"', 'max_age = "1d"', "dump-age"),
    "texts": ('mode = "exhaustive"', 'mode = "exhaustive"\ntexts = ["cookies"]', "texts"),
    "two signers": ('keys = ["release.pub"]', 'keys = ["release.pub", "log.pub"]\nthreshold = 2', "signers"),
    "another signer": ('keys = ["release.pub"]', 'keys = ["log.pub"]', "signers"),
    "an unknown signer": ('keys = ["release.pub"]', f'thumbprints = ["{OTHER_KEY}"]', "signers"),
    "the same policy": ('max_age = "24h"', 'max_age = "24h"\nsame_policy = true', "same-policy"),
    "a grant": ("[findings]", "[grant]\nrequired = true\n\n[findings]", "grant"),
    "nothing may be left": ("max_residual = 0.25", "", "residue"),
    "debugger must have run": ('"bytes"]', '"bytes", "debugger"]', "proof"),
}


@pytest.mark.parametrize(("old", "new", "rule"), POLICIES.values(), ids=POLICIES)
def test_a_policy_that_demands_more(world, old, new, rule):
    world.write_policy(old.replace("{out}", str(world.out)), new)
    if rule == "dump-age":
        os.utime(world.dump, (0, (NOW - timedelta(days=2)).timestamp()))
    refused(world, rule)


def refused(world: World, rule: str) -> RefusedError:
    """Nothing is visible, the log says no and names the rule, and the sealed dump stays."""
    with pytest.raises(RefusedError, match=f"^{world.dump}: not released: {rule}: ") as caught:
        world.release()
    assert caught.value.rule == rule
    assert world.visible() == []
    [entry] = world.entries()
    assert entry.kind == "release.denied"
    assert entry.body["dump"]["sha256"] == sha256(world.dump.read_bytes())
    assert rule in [outcome["rule"] for outcome in entry.body["rules"] if not outcome["allowed"]]
    assert world.vault.verify("sha256:" + sha256(world.dump.read_bytes()))
    return caught.value


def other_bytes(world: World) -> None:
    world.dump.write_bytes(DUMP[:-1] + b"!")


def no_file(world: World) -> None:
    world.clearance.unlink()


def not_regular(world: World) -> None:
    world.clearance.unlink()
    world.clearance.mkdir()


def altered_envelope(world: World) -> None:
    members = json.loads(world.clearance.read_bytes())
    payload = members["payload"]
    members["payload"] = payload[:400] + ("A" if payload[400] != "A" else "B") + payload[401:]
    world.clearance.write_text(json.dumps(members))


def altered_signature(world: World) -> None:
    members = json.loads(world.clearance.read_bytes())
    members["signatures"][0]["sig"] = "A" * 86 + "=="
    world.clearance.write_text(json.dumps(members))


def wrong_signer(world: World) -> None:
    world.clear("", None, signer(world.top, "stranger"))


def no_json(world: World) -> None:
    world.clearance.write_bytes(b"\x7fELF")


def unknown_version(world: World) -> None:
    from immure.attest.envelope import PAYLOAD_TYPE, Envelope, EnvelopeSignature, pae, parse_envelope

    payload = parse_envelope(world.clearance.read_bytes()).payload.replace(b"/clearance/v1", b"/clearance/v2")
    signature = EnvelopeSignature(world.signer.thumbprint, world.signer.sign(pae(PAYLOAD_TYPE, payload)))
    world.clearance.write_bytes(Envelope(payload, PAYLOAD_TYPE, (signature,)).to_bytes())


def clock_ahead(world: World) -> None:
    world.now = NOW + timedelta(days=3)


def clock_behind(world: World) -> None:
    world.now = NOW - timedelta(days=3)


@pytest.mark.parametrize(
    ("fault", "rule", "words"),
    [
        (other_bytes, "subject", "the clearance is for other bytes"),
        (no_file, "clearance", "No such file or directory"),
        (not_regular, "clearance", "is not a regular file"),
        (altered_envelope, "signers", "does not hold"),
        (altered_signature, "signers", "does not hold"),
        (wrong_signer, "signers", "not signed by a trusted key"),
        (no_json, "clearance", "not valid JSON"),
        (unknown_version, "clearance", "unknown version of the predicate"),
        (clock_ahead, "expired", "has expired"),
        (clock_behind, "issued", "is not valid yet"),
    ],
)
def test_faults_of_evidence(world, fault, rule, words):
    fault(world)
    assert words in str(refused(world, rule))


def test_all_that_is_wrong_is_said_at_once(world):
    world.clear("searched.mode", "quick")
    world.write_policy('max_size = "4 MiB"', "max_size = 100")
    error = refused(world, "max-size")
    assert "; also mode: searched in quick mode, and exhaustive is demanded" in str(error)


def test_enough_signers(world):
    world.write_policy('keys = ["release.pub"]', 'keys = ["release.pub", "log.pub"]\nthreshold = 2')
    world.clear("", None, world.signer, signer(world.top, "log"))
    assert len(world.release().to_json()["signers"]) == 2


def test_what_may_be_left_out(world):
    allowance = '\n[[search.allow_not_searched]]\ndetector = "ec"\nreason = "noise"\nmax_bytes = 100\n'
    gap = {"offset": 4096, "length": 60, "detector": "ec", "reason": "the inside of noise"}
    world.write_policy("\n[findings]", allowance + "\n[findings]")
    world.clear("not_searched", [gap])
    world.release()
    world.clear("not_searched", [gap, gap])
    with pytest.raises(RefusedError, match="60 bytes at 0x1000 were not searched by ec: the inside of noise"):
        world.release()


def test_a_key_that_may_stay(world):
    world.write_policy("max_residual = 0.25", f'allow_unredacted = ["{THUMBPRINT}"]')
    world.clear("redactions", [])
    world.release()


def test_quick_mode_if_the_policy_says_so(world):
    world.write_policy('mode = "exhaustive"', 'mode = "quick"')
    world.clear("searched.mode", "quick")
    world.release()


class Granted:
    """Grants by what is shown: why not, or None."""

    def __init__(self, said):
        self.said = said
        self.used = []

    def fault(self, shown, case):
        return self.said[shown]

    def use(self, shown, case):
        self.used.append((shown, case.sha256))
        if self.said[shown] is not None:
            raise RefusedError(self.said[shown], rule="grant")


def test_a_grant_that_is_gone_before_the_dump_is_visible(world):
    world.write_policy("[findings]", "[grant]\nrequired = true\n\n[findings]")
    grants = Granted({None: None})
    steps = world.gate(grants=grants).steps(world.request())
    while next(steps) is not Step.HELD:
        assert grants.used == []
    grants.said[None] = "it was revoked"
    with pytest.raises(RefusedError, match="it was revoked"):
        next(steps)
    assert world.visible() == []
    assert world.kinds()[-1] == "release.failed"


def test_grants_are_asked_for(world):
    world.write_policy("[findings]", "[grant]\nrequired = true\n\n[findings]")
    grants = {b"good": None, b"bad": "the grant is for somebody else"}
    gate = world.gate(grants=Granted(grants))
    assert gate.release(world.request(grant=b"good")).evidence["grant"] == sha256(b"good")
    with pytest.raises(RefusedError, match="the grant is for somebody else"):
        gate.release(world.request(grant=b"bad"))
    with pytest.raises(RefusedError, match="no room was named"):
        world.gate().release(world.request(grant=b"good"))
    world.write_policy()
    with pytest.raises(RefusedError, match="the grant is for somebody else"):
        gate.release(world.request(grant=b"bad"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("version = 1\n[signers\n", "is no TOML: Expected ']'"),
        ("version = 2\n", "another version"),
        (None, "cannot be read: No such file"),
    ],
)
def test_without_a_policy_nothing_leaves(world, text, words):
    world.policy.unlink()
    if text is not None:
        world.policy.write_text(text)
    with pytest.raises(PolicyError, match=words):
        world.release()
    assert world.visible() == []
    [entry] = world.entries()
    assert (entry.kind, entry.body["policy"]) == ("release.denied", None)
    assert entry.body["rules"][0]["rule"] == "policy"


@pytest.mark.parametrize("name", ["", ".", "..", ".hidden", "a/b", "a\nb", "a\0b", "x" * 201, "\u202eb"])
def test_names_that_are_none(world, name):
    with pytest.raises(UsageError, match="is not a name to release a dump under"):
        world.gate().release(world.request(name=name))
    assert world.visible() == []


def release_from(world: World, source: Source, name: str = "app.core") -> None:
    request = world.request()
    world.gate().release(Request(source, request.clearance, request.destination, name))


def test_a_source_that_is_none(world):
    os.mkfifo(world.top / "fifo")
    for path, words in (("no", "No such file"), ("out", "is not a regular"), ("fifo", "is not a regular")):
        with pytest.raises(UsageError, match=words):
            release_from(world, FileSource(str(world.top / path)))
    with pytest.raises(VaultError, match="is not in this vault"):
        release_from(world, VaultSource("sha256:" + "0" * 64))


def test_links_are_followed_unless_told_otherwise(world):
    link = world.top / "latest"
    link.symlink_to(world.dump)
    release_from(world, FileSource(str(link)), "a")
    with pytest.raises(UsageError, match="symbolic links"):
        release_from(world, FileSource(str(link), follow=False), "b")
    assert world.visible() == ["a"]


class FailingLog:
    """The real log, which fails at one of its appends."""

    def __init__(self, log, fails_at: int) -> None:
        self._log = log
        self._left = fails_at

    def append(self, kind, body):
        self._left -= 1
        if self._left < 0:
            raise LogError("No space left on device", path="log/entries.jsonl")
        return self._log.append(kind, body)

    def checkpoint(self):
        return self._log.checkpoint()


def test_without_a_log_entry_nothing_leaves(world):
    with pytest.raises(LogError, match=r"not released, because the log cannot be written: .*No space left"):
        world.release(log=FailingLog(world.log, 0))
    assert world.visible() == []
    assert world.entries() == []


def test_a_refusal_that_cannot_be_logged_is_still_one(world):
    world.clear("searched.mode", "quick")
    with pytest.raises(LogError, match=r"refused \(mode\), and the log cannot be written"):
        world.release(log=FailingLog(world.log, 0))
    assert world.visible() == []


def test_a_release_whose_second_entry_fails_is_said_to_have_happened(world):
    with pytest.raises(
        LogError, match=r"released to file://.* as entry 0 of the log allows; but .*No space left"
    ):
        world.release(log=FailingLog(world.log, 1))
    assert world.visible() == ["app.core"]
    assert world.kinds() == ["release.allowed"]


def test_a_failure_that_cannot_be_logged_names_both(world):
    (world.out / "app.core").write_text("something else")
    with pytest.raises(
        LogError, match=r"another file of that name is there.*; and the log cannot be written"
    ):
        world.release(log=FailingLog(world.log, 1))


def run_to(world: World, step: str, then) -> ImmureError:
    """Release step by step; at ``step`` do something, and see how it ends."""

    def go() -> None:
        reached = []
        for now in world.gate().steps(world.request()):
            if now.name == step and step not in reached:
                then()
            reached.append(now.name)

    with pytest.raises(ImmureError) as caught:
        go()
    return caught.value


BEFORE_COMMIT = ["LOGGED", "STAGED", "PREPARED"]


@pytest.mark.parametrize("step", ["SEALED", *BEFORE_COMMIT])
def test_the_dump_is_not_looked_at_again(world, step):
    """It is exchanged after it was sealed: what is sent is still what was cleared."""
    steps = world.gate().steps(world.request())
    for reached in steps:
        if reached.name == step:
            world.dump.unlink()
            world.dump.write_bytes(b"the key itself")
    assert (world.out / "app.core").read_bytes() == DUMP


@pytest.mark.parametrize("step", BEFORE_COMMIT)
@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (lambda world: world.write_policy('mode = "exhaustive"', 'mode = "quick"'), "policy-unchanged"),
        (lambda world: world.policy.unlink(), "policy-unchanged"),
        (lambda world: world.policy.write_text("["), "policy-unchanged"),
        (lambda world: (world.top / "release.pub").write_bytes((world.top / "log.pub").read_bytes()),
         "policy-unchanged"),
        (clock_ahead, "expired"),
        (clock_behind, "clock"),
    ],
)  # fmt: skip
def test_a_change_before_it_is_visible_stops_it(world, step, change, rule):
    signer(world.top, "log")
    error = run_to(world, step, lambda: change(world))
    assert isinstance(error, RefusedError)
    assert error.rule == rule
    assert world.visible() == []
    assert world.kinds() == ["release.allowed", "release.failed"]
    assert world.entries()[1].body["rule"] == rule


@pytest.mark.parametrize("step", BEFORE_COMMIT)
def test_a_destination_that_vanishes(world, step):
    error = run_to(world, step, world.out.rmdir)
    assert isinstance(error, TransferError)
    assert "was removed" in str(error) or "No such file or directory" in str(error)
    assert not world.out.exists()
    assert world.kinds() == ["release.allowed", "release.failed"]


@pytest.mark.parametrize("step", ["SEALED", *BEFORE_COMMIT])
def test_a_directory_behind_a_link_is_the_one_that_was_asked_about(world, step):
    link, secret = world.top / "link", world.top / "elsewhere"
    link.symlink_to(world.out)
    secret.mkdir()
    from immure.transfer import open_destination

    steps = world.gate().steps(world.request(open_destination(str(link))))
    for reached in steps:
        if reached.name == step:
            link.unlink()
            link.symlink_to(secret)
    assert world.visible() == ["app.core"]
    assert list(secret.iterdir()) == []


def test_a_sealed_copy_that_is_altered_is_not_sent(world):
    def alter() -> None:
        [path] = Path(world.vault.path, "dumps").iterdir()
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)

    error = run_to(world, "LOGGED", alter)
    assert isinstance(error, VaultError)
    assert "was altered" in str(error)
    assert world.visible() == []
    assert world.kinds() == ["release.allowed", "release.failed"]


def test_another_file_of_that_name_stays(world):
    (world.out / "app.core").write_bytes(b"x" * len(DUMP))
    with pytest.raises(TransferError, match="another file of that name is there; it is not replaced"):
        world.release()
    assert (world.out / "app.core").read_bytes() == b"x" * len(DUMP)
    assert world.kinds() == ["release.allowed", "release.failed"]


def test_whoever_is_told_of_a_decision_is_told_before_it_takes_effect(world):
    told = []
    gate = world.gate(
        on_decision=lambda decision: told.append((decision.allowed, world.visible(), world.kinds()))
    )
    gate.release(world.request())
    world.clear("searched.mode", "quick")
    with pytest.raises(RefusedError):
        gate.release(world.request())
    assert told == [(True, [], []), (False, ["app.core"], ["release.allowed", "release.done"])]
