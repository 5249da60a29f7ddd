"""Policies: read strictly, or not at all."""

from __future__ import annotations

import json
import re
import threading
from datetime import timedelta
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from immure.dumps import detect
from immure.errors import ImmureError, PolicyError
from immure.scanning.options import DETECTORS
from immure.transfer import PolicyFile, install_policy, parse_policy
from immure.transfer.policy import FORMATS
from immure.transfer.rules import RULES
from immure.transfer.table import Table

from .material import OTHER_KEY, POLICY, THUMBPRINT, World, sha256, signer

GOOD = POLICY.replace("{out}", "/srv/debug")


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    top = tmp_path_factory.mktemp("keys")
    signer(top)
    return {"release.pub": (top / "release.pub").read_bytes(), "empty": b"", "random": b"\x7fELF" * 9}


def parse(text: str | bytes, keys: dict[str, bytes]):
    def read(name: str) -> bytes:
        if name not in keys:
            raise PolicyError("cannot be read: No such file or directory", path=name)
        return keys[name]

    return parse_policy(text.encode() if isinstance(text, str) else text, "policy.toml", read)


def test_a_good_one(keys, tmp_path):
    policy = parse(GOOD, keys)
    assert policy.version.sha256 == sha256(GOOD.encode())
    assert policy.version.files == (("release.pub", sha256(keys["release.pub"])),)
    assert policy.signers.allowed == {signer(tmp_path).thumbprint}
    assert (policy.dump.max_size, policy.dump.max_age) == (4 << 20, timedelta(days=30))
    assert policy.clearance.max_age == timedelta(hours=24)
    assert policy.search.thumbprints == {THUMBPRINT}
    assert policy.findings.max_residual == 0.25
    assert [pattern.text for pattern in policy.destinations] == ["file:///srv/debug"]


def test_what_is_left_out_is_strict(keys):
    policy = parse(GOOD.replace("max_residual = 0.25", "").replace('max_age = "30d"', ""), keys)
    assert policy.search.harvest is True
    assert policy.search.allow_not_searched == ()
    assert policy.findings.max_residual == 0
    assert policy.findings.allow_unredacted == frozenset()
    assert policy.signers.threshold == 1
    assert policy.dump.max_age is None


def test_names_are_those_of_the_other_rooms():
    assert tuple(known.name for known in detect.FORMATS) == FORMATS
    schema = json.loads(files("immure.attest").joinpath("clearance-1.schema.json").read_text())
    assert "exhaustive" in json.dumps(schema)
    assert "ec" in DETECTORS


#: A text in the good policy, what it is replaced by, and what is then said.
MALFORMED = {
    "no version": ("version = 1", "", "needs 'version', a whole number"),
    "version 2": ("version = 1", "version = 2", "another version than 1"),
    "version true": ("version = 1", "version = true", "'version' is not a whole number"),
    "unknown at the top": ("[signers]", "strict = true\n[signers]", "the top of the file has no member"),
    "unknown table": ("[signers]", "[extra]\n[signers]", "has no member 'extra'"),
    "misspelled": ('max_size = "4 MiB"', 'max_sise = "4 MiB"', r"\[dump\] needs 'max_size'"),
    "misspelled too": ('max_size = "4 MiB"', 'max_size = 1\nmax_sice = 4', "'max_sice'; is 'max_size' meant"),
    "no signers": ('[signers]\nkeys = ["release.pub"]', "", "needs 'signers', a table"),
    "nobody may sign": ('keys = ["release.pub"]', "", "names 0 keys, of which 1 would have to sign"),
    "threshold 0": ('keys = ["release.pub"]', 'keys = ["release.pub"]\nthreshold = 0', "number from 1 to 16"),
    "threshold 2": ('keys = ["release.pub"]', 'keys = ["release.pub"]\nthreshold = 2', "names 1 keys"),
    "no key file": ("release.pub", "no.pub", "no.pub: cannot be read"),
    "empty key file": ("release.pub", "empty", "'keys': empty: holds no public key"),
    "random key file": ("release.pub", "random", "'keys': random: "),
    "a pin that is none": ('keys = ["release.pub"]', 'thumbprints = ["abc"]', "'abc' is not a fingerprint"),
    "keys as text": ('keys = ["release.pub"]', 'keys = "release.pub"', "'keys' is not a list of texts"),
    "keys as numbers": ('keys = ["release.pub"]', "keys = [1]", "'keys' is not a list of texts"),
    "empty name": ('keys = ["release.pub"]', 'keys = [""]', "'keys' is not a list of texts"),
    "format": ('["elf-core"]', '["elf"]', "'formats' names 'elf'; there are elf-core, minidump"),
    "size in words": ('"4 MiB"', '"four"', "'max_size' is not a size"),
    "size in MB": ('"4 MiB"', '"4 MB"', "'max_size' is not a size"),
    "size below zero": ('"4 MiB"', "-1", "'max_size' is not a size"),
    "size beyond all": ('"4 MiB"', "1152921504606846976", "'max_size' is not a size"),
    "size as a flag": ('"4 MiB"', "true", "'max_size' is not a size"),
    "age in words": ('"24h"', '"a day"', "'max_age' is not a time"),
    "age as a number": ('"24h"', "24", "'max_age' is not a time"),
    "age beyond all": ('"24h"', '"999999999d"', "'max_age' is not a time"),
    "mode": ('"exhaustive"', '"fast"', "'mode' is not \"quick\" or \"exhaustive\""),
    "no mode": ('mode = "exhaustive"', "", "needs 'mode'"),
    "detector": ('["rsa", "ec"]', '["rsa", "dsa"]', "'detectors' names 'dsa'"),
    "no detectors": ('detectors = ["rsa", "ec"]', "", "needs 'detectors'"),
    "residual": ("0.25", "1.5", "'max_residual' is not a number from 0 to 1"),
    "residual nan": ("0.25", "nan", "'max_residual' is not a number from 0 to 1"),
    "residual text": ("0.25", '"none"', "'max_residual' is not a number from 0 to 1"),
    "no proof": ('[proof]\nchecks = ["scan", "residue", "bytes"]', "", "needs 'proof'"),
    "check": ('"bytes"]', '"hope"]', "'checks' names 'hope'; there are scan, residue, bytes, debugger"),
    "no destinations": ('[destinations]\nallow = ["file:///srv/debug"]', "", "needs 'destinations'"),
    "destination": ("file:///srv/debug", "/srv/debug", "is not a destination"),
    "wild host": ("file:///srv/debug", "s3://*/x", "has a host where none belongs"),
    "wild part": ("file:///srv/debug", "s3://bucket/x*", r"\* stands for a whole part"),
    "credentials": ("file:///srv/debug", "sftp://me:secret@host/x", "passwords do not belong"),
    "allowance": ("[findings]", '[[search.allow_not_searched]]\ndetector = "ec"\n[findings]',
                  r"\[search.allow_not_searched 1\] needs 'reason'"),
    "allowance for nobody": ("[findings]", '[[search.allow_not_searched]]\ndetector = "x"\n[findings]',
                             "'detector' is not \"rsa\" or"),
    "list for table": ("[proof]", "[[proof]]", "'proof' is not a table"),
    "grant": ("[findings]", "[grant]\nrequired = 1\n[findings]", "'required' is not true or false"),
    "no TOML": ("[signers]", "[signers", "is no TOML: "),
    "twice": ('mode = "exhaustive"', 'mode = "exhaustive"\nmode = "quick"', "is no TOML: "),
    "deep": ("version = 1", "version = " + "[" * 3000, "is no TOML: "),
    "many digits": ("version = 1", "version = " + "1" * 5000, "is no TOML: "),
    "long text": ("release.pub", "x" * 9000, "'keys' is not a list of texts"),
    "too long": ("version = 1", "version = 1 #" + "x" * (1 << 18), "is longer than 262144 bytes"),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new", "words"), MALFORMED.values(), ids=MALFORMED)
def test_malformed(keys, old, new, words):
    assert old in GOOD
    with pytest.raises(PolicyError, match=words) as caught:
        parse(GOOD.replace(old, new, 1), keys)
    assert "secret" not in str(caught.value)


def test_not_utf8(keys):
    with pytest.raises(PolicyError, match=r"is no TOML: .utf-8. codec"):
        parse(b"\xff" + GOOD.encode(), keys)


@given(data=st.binary(max_size=200))
def test_bytes_that_are_no_policy(data):
    with pytest.raises(PolicyError):
        parse(data, {})


@given(data=st.data())
def test_a_policy_with_a_line_less_is_one_or_none(data):
    """Whatever is left out: an error, or a policy that allows nothing that the whole one does not."""
    lines = GOOD.replace('keys = ["release.pub"]', f'thumbprints = ["{OTHER_KEY}"]').splitlines()
    left = data.draw(st.sets(st.integers(0, len(lines) - 1), max_size=3))
    try:
        policy = parse("\n".join(line for number, line in enumerate(lines) if number not in left), {})
    except ImmureError:
        return
    assert [pattern.text for pattern in policy.destinations] == ["file:///srv/debug"]
    assert policy.findings.max_residual <= 0.25
    assert policy.signers.allowed == {OTHER_KEY}


# --- policies in files ---


def test_the_version_covers_the_keys_it_names(world: World):
    before = PolicyFile(world.policy).read()
    assert PolicyFile(world.policy).read().version == before.version
    (world.top / "release.pub").write_bytes((world.top / "release.pub").read_bytes() + b"\n")
    assert PolicyFile(world.policy).read().version != before.version


@pytest.mark.parametrize("name", ["", "/nowhere", ".", "a\0b"])
def test_no_file(world: World, name):
    with pytest.raises(PolicyError, match=r"cannot be read|is not a regular file"):
        PolicyFile(str(world.top / name) if name else "").read()


def test_it_is_not_installed_while_a_release_is_in_its_last_step(world: World):
    new = world.top / "new.toml"
    new.write_text(world.policy.read_text().replace("4 MiB", "5 MiB"))
    installed = threading.Event()

    def install() -> None:
        install_policy(new, world.policy)
        installed.set()

    thread = threading.Thread(target=install)
    with PolicyFile(world.policy).held() as held:
        thread.start()
        assert not installed.wait(0.3)
        with PolicyFile(world.policy).held() as second:  # two releases do not wait for one another
            assert second.version == held.version
    thread.join(20)
    assert installed.is_set()
    assert PolicyFile(world.policy).read().dump.max_size == 5 << 20


def test_whoever_waited_for_the_lock_reads_the_new_one(world: World):
    """The file that was locked is not the one that has the name any more."""
    import fcntl
    import os

    new = world.top / "new.toml"
    new.write_text(world.policy.read_text().replace("4 MiB", "5 MiB"))
    found = []
    handle = os.open(world.policy, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    thread = threading.Thread(target=lambda: found.append(PolicyFile(world.policy).read()))
    thread.start()
    os.replace(new, world.policy)
    os.close(handle)
    thread.join(20)
    assert found[0].dump.max_size == 5 << 20


def test_what_cannot_be_understood_is_not_installed(world: World):
    before = world.policy.read_bytes()
    new = world.top / "new.toml"
    new.write_text("version = 1")
    with pytest.raises(PolicyError, match=r"new\.toml: the top of the file needs 'signers'"):
        install_policy(new, world.policy)
    assert world.policy.read_bytes() == before
    install_policy(world.policy, world.top / "first.toml")
    assert (world.top / "first.toml").read_bytes() == before


def test_the_receipt_fits_its_schema(world: World):
    schema = json.loads(files("immure.transfer").joinpath("release-receipt-1.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    receipt = json.loads(json.dumps(world.release().to_json()))
    jsonschema.Draft202012Validator(schema).validate(receipt)


REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "release-policy.md"


def table_of(heading: str) -> list[str]:
    """The first column of the first table below a heading of the reference."""
    text = REFERENCE.read_text(encoding="utf-8").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"^\| `([^`]+)`", text, flags=re.MULTILINE)


def test_every_member_is_in_the_reference(keys, monkeypatch):
    asked: set[str] = set()
    done = Table.done

    def note(table: Table) -> None:
        asked.update(f"{table.where}.{name}" if table.where else name for name in table._asked)
        done(table)

    monkeypatch.setattr(Table, "done", note)
    parse(GOOD, keys)
    tables = {name.partition(".")[0] for name in asked if "." in name}
    assert set(table_of("Members")) == asked - tables


def test_every_rule_is_in_the_reference():
    assert table_of("Rules") == [rule.name for rule in RULES]
