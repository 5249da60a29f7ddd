"""``immure fleet`` as a person uses it, and a pipeline."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import jsonschema
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from fleet.making import KIB, quiet_memory
from immure.cli.main import run as run_immure
from immure.scanning.report.json import read_schema
from immure.synth import plant
from scanning.material import forms, public

IMMURE = (sys.executable, "-m", "immure")


class Result(NamedTuple):
    exit_code: int
    stdout: str
    stderr: str


Run = Callable[..., Result]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Result:
        code = run_immure(["fleet", *arguments])
        return Result(code, *capsys.readouterr())

    return run


@pytest.fixture
def dumps(tmp_path: Path) -> Path:
    top = tmp_path / "dumps"
    top.mkdir()
    memory = quiet_memory(9 << 20)
    plant(memory, (8 << 20) - 40, forms("RSA-1024")["p", "le64"])
    (top / "large").write_bytes(memory)
    (top / "small").write_bytes(quiet_memory(64 * KIB))
    (tmp_path / "keys.jwks").write_text(json.dumps({"keys": [public("RSA-1024").to_jwk()]}))
    return top


def test_the_report_says_what_was_found_and_that_each_byte_was_searched_once(run: Run, dumps: Path) -> None:
    result = run(
        "scan", "dumps", "--keys", "keys.jwks", "--engine", "threads:2", "--split", "8MiB", "-f", "json"
    )
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    jsonschema.validate(report, read_schema())
    assert [len(image["findings"]) for image in report["images"]] == [1, 0]
    fleet = report["fleet"]
    assert fleet["engine"] == "threads:2"
    assert fleet["totals"]["searched_bytes"] == (9 << 20) + 64 * KIB
    large = fleet["images"][0]
    assert large["fault"] is None
    searched = [(one["start"], one["stop"]) for one in large["ranges"] if one["stage"] == "search"]
    assert searched == [(0, 8 << 20), (8 << 20, 9 << 20)]
    assert {one["outcome"] for one in large["ranges"]} == {"done"}
    assert "each byte once" in result.stderr


def test_a_report_for_people(run: Run, dumps: Path) -> None:
    result = run("scan", "dumps/large", "--keys", "keys.jwks", "--engine", "threads:1")
    assert result.exit_code == 1
    assert "dumps/large" in result.stdout
    assert public("RSA-1024").thumbprint in result.stdout


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("dumps/small",), 0),
        (("dumps/small", "--keys", "keys.jwks"), 0),
        (("dumps/large", "--keys", "keys.jwks"), 1),
        (("dumps/large", "--keys", "keys.jwks", "--fail-on", "never"), 0),
        (("gone",), 3),
        (("gone", "--fail-on", "findings"), 0),
        (("gone", "dumps/large", "--keys", "keys.jwks"), 1),
        (("pid:1",), 2),
        (("-",), 2),
        (("ftp://x/y",), 2),
        (("dumps/small", "--engine", "cloud"), 2),
        (("dumps/small", "--engine", "dask://10.1.2.3:8786"), 2),
        (("dumps/small", "--engine", "dask://127.0.0.1:8786", "--tls-ca", "x"), 2),
        (("dumps/large", "--split", "1MB"), 2),
        (("dumps/small", "--split", "much"), 2),
        (("dumps/small", "--no-harvest"), 2),
        (("dumps/small", "-o", "no/such/file.json"), 2),
        ((), 2),
    ],
)
def test_exit_codes(run: Run, dumps: Path, arguments: tuple[str, ...], code: int) -> None:
    engine = () if "--engine" in arguments else ("--engine", "threads:1")
    result = run("scan", *arguments, *engine, "--quiet")
    assert result.exit_code == code, result.stderr
    assert "Traceback" not in result.stderr


def test_what_failed_is_named_even_if_all_is_quiet(run: Run, dumps: Path) -> None:
    (dumps / "locked").symlink_to("nowhere")
    result = run("scan", "dumps", "missing", "--engine", "threads:1", "--format", "json", "--quiet")
    assert result.exit_code == 3
    report = json.loads(result.stdout)
    assert [image["error"] for image in report["images"]][-1] == "cannot be read: No such file or directory"


def test_ctrl_c_ends_it_and_its_workers(tmp_path: Path) -> None:
    top = tmp_path / "dumps"
    top.mkdir()
    for number in range(4):
        (top / str(number)).write_bytes(os.urandom(4 << 20))
    point = ec.generate_private_key(ec.SECP256R1()).public_key()
    (tmp_path / "key.pem").write_bytes(point.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    process = subprocess.Popen(
        # every word of noise may be a scalar: that takes a minute
        [*IMMURE, "fleet", "scan", str(top), "-k", str(tmp_path / "key.pem"),
         "--engine", "processes:1", "--exhaustive"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        # in the background of a shell it is ignored
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not (children := _children(process.pid)) and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in errors
    assert children
    while any(os.path.exists(f"/proc/{child}") for child in children) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(os.path.exists(f"/proc/{child}") for child in children)


def _children(pid: int) -> list[str]:
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += task.read_text().split()
        except OSError:
            continue
    return found


def test_costs_for_people_and_for_programs(run: Run) -> None:
    text = run("cost", "--bytes", "1PB", "--workers", "200")
    assert text.exit_code == 0
    assert "bounded by the network" in text.stdout
    assert "saturates at" in text.stdout
    result = run("cost", "--bytes", "1TB", "--workers", "4", "--slots", "2", "--simulate", "-f", "json")
    found = json.loads(result.stdout)
    assert found["estimate"]["slots"] == 8
    assert found["simulated_seconds"] == pytest.approx(found["estimate"]["seconds"], rel=0.05)
    assert set(found["limits"]) == {"processors", "network", "coordinator"}


def test_images_that_are_cut_cost_a_second_reading(run: Run) -> None:
    whole = json.loads(run("cost", "--bytes", "1TB", "-f", "json").stdout)["estimate"]
    cut = json.loads(run("cost", "--bytes", "1TB", "--image", "50GiB", "-f", "json").stdout)["estimate"]
    assert cut["requests"] > 1.9 * whole["requests"]
    assert cut["seconds"] > 1.9 * whole["seconds"]


@pytest.mark.parametrize(
    "arguments", [(), ("--bytes", "x"), ("--bytes", "0"), ("--bytes", "1TB", "--rate", "0MB")]
)
def test_costs_of_nothing(run: Run, arguments: tuple[str, ...]) -> None:
    assert run("cost", *arguments).exit_code == 2


def test_help_teaches(run: Run) -> None:
    for command in ("scan", "cost"):
        result = run(command, "--help")
        assert "Examples:" in result.stdout
