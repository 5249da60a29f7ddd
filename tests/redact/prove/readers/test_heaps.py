"""Heap dumps through VisualVM's heap library, on a dump of a real Java process."""

from __future__ import annotations

from pathlib import Path

import pytest

from immure.dumps.open import open_image
from immure.errors import RedactionError
from immure.redact.prove import ProveOptions, inspect, scan
from immure.redact.prove.readers.heaps import find_library
from immure.synth import build_hprof

from ..material import erased, image
from .cores import RealCore, take

OPTIONS = ProveOptions(debugger_seconds=100)
DUMP = build_hprof(strings=["x"], byte_arrays=[b"bytes"]).data


@pytest.fixture(scope="module")
def heap(tmp_path_factory: pytest.TempPathFactory) -> RealCore:
    try:
        find_library(OPTIONS)
    except RedactionError as error:
        pytest.skip(f"NOT TESTED: {error.reason}")
    return take("java", tmp_path_factory.mktemp("java"), "hprof")


@pytest.mark.real
def test_a_real_heap_dump(heap: RealCore) -> None:
    data = heap.path.read_bytes()
    with open_image(heap.path) as opened:
        scanned, residue = scan(opened, heap.secrets)
        spans = [(part.offset, part.length) for part in (*scanned.fragments, *residue.pieces)]
        part = inspect(opened, image(erased(data, spans)), spans, options=OPTIONS)
        assert (part.status, part.reason) == ("ok", "")
        assert part.compared["instances"] > 1000


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (
            ProveOptions(heap_library="/nonexistent.jar"),
            "VisualVM, whose library reads heap dumps, is not installed",
        ),
        (
            ProveOptions(heap_library=__file__, java="java-that-is-not-there"),
            "java-that-is-not-there is not installed",
        ),
    ],
)
def test_not_there(options: ProveOptions, reason: str) -> None:
    part = inspect(image(DUMP), image(DUMP), [], options=options)
    assert (part.status, part.reason) == ("not done", reason)


def test_a_program_that_answers_nonsense(tmp_path: Path) -> None:
    program = tmp_path / "java"
    program.write_text("#!/bin/sh\necho instances; echo nonsense\n")
    program.chmod(0o755)
    options = ProveOptions(heap_library=__file__, java=str(program))
    part = inspect(image(DUMP), image(DUMP), [], options=options)
    assert part.status == "not done"
    assert "cannot read the original" in part.reason


TOTALS = "instances 5\\nbytes 60\\nclasses 2\\nroots 1\\n"


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        (TOTALS + "1 A 3 40\\n2 B 2 20\\n", ""),
        (TOTALS + "1 A 2 40\\n2 B 3 20\\n", "other classes"),
        (TOTALS.replace("5", "4") + "1 A 3 40\\n2 B 2 20\\n", "other numbers of instances, classes or roots"),
        ("", "cannot be read any more: exit code 0"),
    ],
)
def test_what_the_library_says_is_compared(second: str, reason: str, tmp_path: Path) -> None:
    """The redacted dump is the one with an x more in its string."""
    program, first = tmp_path / "java", TOTALS + "1 A 3 40\\n2 B 2 20\\n"
    program.write_text(
        "#!/bin/sh\nfor last; do :; done\n"
        f"if grep -q REDACTED \"$last\"; then printf '{second}'; else printf '{first}'; fi\n"
    )
    program.chmod(0o755)
    redacted = build_hprof(strings=["REDACTED"], byte_arrays=[b"bytes"]).data
    options = ProveOptions(heap_library=__file__, java=str(program))
    part = inspect(image(DUMP), image(redacted), [], options=options)
    assert (part.status, part.reason) == ("failed" if reason else "ok", reason)
