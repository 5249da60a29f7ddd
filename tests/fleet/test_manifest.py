"""The Kubernetes manifest of the documentation: valid, closed, and with commands that there are."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

kubernetes_validate: Any = pytest.importorskip(
    "kubernetes_validate", reason="NOT TESTED: needs kubernetes-validate"
)

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "howto" / "scan-a-fleet.md").read_text(encoding="utf-8")
MANIFEST = re.search(r"<!-- file: fleet.yaml -->\n```yaml\n(.*?)```", PAGE, re.DOTALL)
DOCUMENTS = list(yaml.safe_load_all(MANIFEST[1])) if MANIFEST else []
PODS = {
    one["metadata"]["name"]: one["spec"]["template"] for one in DOCUMENTS if "template" in one.get("spec", {})
}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda one: f"{one['kind']} {one['metadata']['name']}")
def test_each_document_fits_the_schema(document: dict[str, Any]) -> None:
    for version in ("1.27", kubernetes_validate.latest_version()):
        kubernetes_validate.validate(document, version, strict=True)


def test_the_validator_would_say_so() -> None:
    broken = {**DOCUMENTS[0], "spec": {**DOCUMENTS[0]["spec"], "replica": 1}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, kubernetes_validate.latest_version(), strict=True)


def test_there_are_a_scheduler_workers_and_a_scan() -> None:
    assert set(PODS) == {"fleet-scheduler", "fleet-worker", "fleet-scan"}


@pytest.mark.parametrize("name", ["fleet-scheduler", "fleet-worker", "fleet-scan"])
def test_no_pod_may_more_than_it_must(name: str) -> None:
    pod = PODS[name]
    assert pod["metadata"]["labels"]["part-of"] == "immure-fleet"
    assert pod["spec"]["automountServiceAccountToken"] is False
    assert pod["spec"]["securityContext"]["runAsNonRoot"] is True
    (container,) = pod["spec"]["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}
    }  # fmt: skip
    assert "limits" in container["resources"]
    assert "8787" not in str(container)  # no dashboard


@pytest.mark.parametrize("name", ["fleet-scheduler", "fleet-worker"])
def test_the_options_of_dask_are_there(name: str) -> None:
    (container,) = PODS[name]["spec"]["containers"]
    arguments = container["command"]
    assert arguments[:2] == ["dask", name.removeprefix("fleet-")]
    command = import_module(f"distributed.cli.dask_{arguments[1]}").main
    known = {option for one in command.params for option in (*one.opts, *one.secondary_opts)}
    assert {one for one in arguments if one.startswith("--")} <= known
    assert "tls" in arguments or any(one.startswith("tls://") for one in arguments)


def test_the_options_of_the_scan_are_there() -> None:
    from immure.cli.fleet_scan import scan

    (container,) = PODS["fleet-scan"]["spec"]["containers"]
    arguments = container["command"]
    assert arguments[:3] == ["immure", "fleet", "scan"]
    known = {name for parameter in scan.params for name in parameter.opts}
    assert {one for one in arguments if one.startswith("--")} <= known
