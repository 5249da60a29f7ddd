"""The drill: crash real signers, and hold what the scanner reports against a slow, exhaustive search.

``make test`` runs a few stacks (``real``), ``make drill`` all of them, each by a kernel core, with gcore and,
for Java, as a heap dump.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from drill import crash, images
from drill.hold import Outcome, hold, scan
from drill.launch import Stack
from drill.stacks import FAST, STACKS

CONTROLS = [stack for stack in STACKS if stack.has_control]


def ids(stack: Stack) -> str:
    return stack.name


def need(stack: Stack) -> None:
    if lacking := stack.missing():
        packages = [*stack.apt, *stack.pypi, *stack.npm]
        pytest.skip(
            f"NOT TESTED: {stack.name}: missing {', '.join(lacking)}; packages: {', '.join(packages)}"
        )
    if not images.captures(stack):
        pytest.skip(f"NOT TESTED: {stack.name}: core_pattern is not writable and there is no gdb")


def check_signer(
    stack: Stack, directory: Path, outcomes: list[Outcome], ways: list[str] | None = None
) -> None:
    need(stack)
    missed = []
    for image in images.take(stack, directory, stack.kinds, ways=ways):
        outcome = hold(image)
        outcomes.append(outcome)
        missed += [f"{image.capture}: {hit}" for hit in outcome.missed]
        image.path.unlink()
    assert not missed, "\n".join(missed)


def check_control(
    stack: Stack, directory: Path, outcomes: list[Outcome], ways: list[str] | None = None
) -> None:
    need(stack)
    wrong = []
    for image in images.take(stack, directory, stack.kinds, signs=False, ways=ways):
        outcome = Outcome(stack.name, image.capture, image.path.stat().st_size, False, len(image.keys))
        assert not image.truth(), "the control held a private key: the drill is wrong"
        for named in (True, False):
            report = scan(image, named=named)
            assert not any(one.error for one in report.images), [one.error for one in report.images]
            outcome.strangers += [f"{finding.key.label}: {finding.proof}" for finding in report.findings]
        outcomes.append(outcome)
        wrong += [f"{image.capture}: {words}" for words in outcome.strangers]
        image.path.unlink()
    assert not wrong, "\n".join(wrong)


@pytest.mark.real
@pytest.mark.parametrize("stack", FAST, ids=ids)
def test_a_real_crash_gives_up_every_number(stack: Stack, tmp_path: Path, outcomes: list[Outcome]) -> None:
    check_signer(stack, tmp_path, outcomes, images.captures(stack)[-1:])


@pytest.mark.real
@pytest.mark.parametrize("stack", FAST[:2], ids=ids)
def test_a_verifier_gives_up_nothing(stack: Stack, tmp_path: Path, outcomes: list[Outcome]) -> None:
    check_control(stack, tmp_path, outcomes, images.captures(stack)[-1:])


@pytest.mark.drill
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("stack", STACKS, ids=ids)
def test_every_number_is_reported(stack: Stack, tmp_path: Path, outcomes: list[Outcome]) -> None:
    check_signer(stack, tmp_path, outcomes)


@pytest.mark.drill
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("stack", CONTROLS, ids=ids)
def test_nothing_is_reported_of_public_keys(stack: Stack, tmp_path: Path, outcomes: list[Outcome]) -> None:
    check_control(stack, tmp_path, outcomes)


@pytest.mark.real
@pytest.mark.skipif(not crash.has_kernel_cores(), reason="NOT TESTED: core_pattern is not writable")
def test_the_core_pattern_is_put_back(tmp_path: Path) -> None:
    before = crash.CORE_PATTERN.read_text()
    target = crash.start(["sh", "-c", "echo ready; exec sleep 60"], tmp_path)
    try:
        crash.crash(target.pid, tmp_path / "core", reap=target.process)
    finally:
        target.stop()
    assert crash.CORE_PATTERN.read_text() == before
    with pytest.raises(RuntimeError, match="anything"), crash.kernel_cores_into(tmp_path):
        raise RuntimeError("anything")
    assert crash.CORE_PATTERN.read_text() == before
