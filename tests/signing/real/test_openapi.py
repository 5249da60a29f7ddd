"""The OpenAPI document, and whether the running service does what it says (schemathesis)."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest

pytest.importorskip("schemathesis", reason="NOT TESTED: schemathesis is not installed")

import httpx
import schemathesis
from click.testing import CliRunner
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from openapi_spec_validator import OpenAPIV31SpecValidator
from schemathesis.specs.openapi import checks

from immure.cli.signing import signing
from signing.house import SECRET
from signing.real.serving import Serving

#: Requests to each endpoint, always the same ones; in the drill many, and others each time. What is sent is
#: random, so that nearly all of it is refused, as it should be.
_REQUESTS = [4, pytest.param(60, marks=[pytest.mark.drill, pytest.mark.timeout(1800)])]


@pytest.fixture(scope="module")
def document(served: Serving) -> Any:
    return httpx.get(f"{served.here}/openapi.json").json()


def test_the_document(served: Serving, document: Any) -> None:
    OpenAPIV31SpecValidator(document).validate()
    printed = CliRunner().invoke(signing, ["openapi", "--config", str(served.house.path)])
    assert json.loads(printed.output) == document
    named = {(path, method) for path, one in document["paths"].items() for method in one}
    assert ("/consumer/token", "post") in named
    assert ("/.well-known/oauth-authorization-server/enterprise", "head") in named
    for issuer in ("consumer", "enterprise"):
        found = httpx.get(f"{served.here}/{issuer}/.well-known/openid-configuration").json()
        ends = {value for name, value in found.items() if name.endswith(("_endpoint", "jwks_uri"))}
        assert {one.removeprefix(served.here) for one in ends} <= document["paths"].keys()


@pytest.fixture(scope="module")
def described(served: Serving, document: Any) -> Any:
    made = schemathesis.openapi.from_dict(document)
    made.config.update(base_url=served.here)
    return made


_CHECKS = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.unsupported_method,
]
_SETTINGS = settings(
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
_AUTH = ("daemon", SECRET)


@pytest.mark.parametrize("requests", _REQUESTS)
@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode), ids=lambda mode: mode.value)
def test_the_service_does_what_it_says(described: Any, mode: Any, requests: int) -> None:
    """What fits the document, and what does not; with the name and secret of a client, and without."""
    count = 0
    for found in described.get_all_operations():
        operation = found.ok()
        if "consumer" in operation.path:  # the same code as for the other issuer
            continue

        # what does not fit takes schemathesis several times as long to make
        wrong = mode is schemathesis.GenerationMode.NEGATIVE

        many = requests // 2 if wrong else requests

        @settings(_SETTINGS, max_examples=many, derandomize=requests == _REQUESTS[0])
        @given(case=operation.as_strategy(generation_mode=mode))
        def holds(case: Any) -> None:
            nonlocal count
            count += 1
            case.call_and_validate(checks=_CHECKS)
            if case.method == "POST":
                case.call_and_validate(checks=_CHECKS, auth=_AUTH)

        with suppress(Unsatisfiable):  # nothing can be wrong with what takes nothing
            holds()
    assert count > 2 * requests
