"""For those who watch: health, readiness, metrics, and the journal."""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from immure.errors import KeySourceError
from immure.introspection.journal import Journal, JsonFormatter
from immure.introspection.rate import Rate
from immure.introspection.settings import Client
from immure.registry.scope import ScopedKey
from immure.tokens.errors import TokenError
from immure.tokens.policy import IssuerRule, Policy
from immure.tokens.source import KeySource
from introspection.running import SECRET, Running, basic, running, settings
from tokens.minting import ISSUER, MAIL, Mint, T, jwk, key_set


class Late(KeySource):
    """Has its keys only when it is told."""

    def __init__(self) -> None:
        self.has_keys = threading.Event()
        self.fetches = self.failures = self.refused = 0

    def find(self, kid: str | None) -> ScopedKey:
        self.fetches += 1
        if not self.has_keys.is_set():
            self.failures += 1
            raise KeySourceError("no answer in time", path="https://keys.example")
        return key_set(jwk("Ed25519"), jwk("ES256"), issuer=ISSUER).find(kid)


def families(server: Running) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    answer = server.ask("GET", "/metrics")
    assert answer.header("content-type")[0].startswith("text/plain")
    return {
        sample.name: {
            tuple(sorted(one.labels.items())): one.value
            for found in text_string_to_metric_families(answer.body.decode())
            for one in found.samples
            if one.name == sample.name
        }
        for family in text_string_to_metric_families(answer.body.decode())
        for sample in family.samples
    }


def test_ready_when_every_source_has_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("immure.introspection.readiness._PAUSE", 0.01)
    source = Late()
    policy = Policy({ISSUER: IssuerRule(source, "enterprise")}, {MAIL: frozenset({"enterprise"})})
    with running(settings(tmp_path / "log", policy=policy, clients={})) as up:
        answer = up.ask("GET", "/readyz")
        assert (answer.status, answer.json) == (503, {"ready": False, "lacking": [ISSUER]})
        assert up.ask("GET", "/healthz").status == 200
        assert up.forward(Mint().token()).status == 503
        source.has_keys.set()
        up.until("ready")
        answer = up.ask("GET", "/readyz")
        assert (answer.status, answer.json) == (200, {"ready": True, "lacking": []})
        assert up.forward(Mint().token()).status == 200
        values = families(up)
        label = (("issuer", ISSUER),)
        assert values["immure_key_source_failures_total"][label] == source.failures
        assert values["immure_key_source_fetches_total"][label] == source.fetches
    events = [one["event"] for one in up.events()]
    assert (events[0], events[-1]) == ("started", "stopped")


def test_ready_when_the_keys_of_clients_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("immure.introspection.readiness._PAUSE", 0.01)
    source = Late()
    clients = {"app": Client(frozenset({MAIL}), keys=source)}
    with running(
        settings(tmp_path / "log", clients=clients, endpoint=frozenset({"https://a.example"}))
    ) as up:
        assert up.ask("GET", "/readyz").json["lacking"] == ["client app"]
        source.has_keys.set()
        up.until("ready")


def test_metrics_count_decisions(tmp_path: Path):
    with running(settings(tmp_path / "log")) as up:
        for token in (Mint().token(), Mint().token(), Mint().token(exp=T - 3600), "x"):
            up.introspect(token)
        up.forward(Mint().token())
        up.forward(None)  # no token, no decision
        counts = families(up)["immure_decisions_total"]
        assert {tuple(value for _, value in labels): count for labels, count in counts.items()} == {
            ("introspection", "", "accepted"): 2,
            ("introspection", "token-expired", "refused"): 1,
            ("introspection", "token-form", "refused"): 1,
            ("forward-auth", "", "accepted"): 1,
        }
        assert families(up)["immure_decision_seconds_count"] == {
            (("channel", "introspection"),): 4,
            (("channel", "forward-auth"),): 1,
        }
        assert families(up)["immure_acceptance_log_works"] == {(): 1}


def test_no_value_of_a_token_becomes_a_label(tmp_path: Path):
    """Or else whoever sends tokens could fill our memory."""
    with running(settings(tmp_path / "log")) as up:
        for number in range(50):
            up.introspect(Mint(key="Ed25519", header={"kid": f"kid-{number}"}).token(iss=f"iss-{number}"))
            up.forward("x" * number)
        text = up.ask("GET", "/metrics").body
        assert b"kid-" not in text
        assert b"iss-" not in text
        assert len(families(up)["immure_decisions_total"]) <= 4
    every = {one.code for one in _all(TokenError)}
    assert len(every) < 64


def _all(kind: type[TokenError]) -> set[type[TokenError]]:
    return {kind}.union(*(_all(one) for one in kind.__subclasses__()))


def test_metrics_can_be_left_out(tmp_path: Path):
    with running(settings(tmp_path / "log", metrics=False)) as up:
        assert up.ask("GET", "/metrics").status == 404


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_one_can_only_read(server: Running, path: str):
    assert server.ask("HEAD", path).status == 200
    answer = server.ask("POST", path, [], b"x")
    assert (answer.status, answer.header("allow")) == (405, ["GET, HEAD"])


@pytest.mark.parametrize(("journal", "verdicts"), [("none", []), ("refused", ["refused"]), ("all", None)])
def test_which_decisions_are_in_the_journal(tmp_path: Path, journal: str, verdicts: list[str] | None):
    with running(settings(tmp_path / "log", journal=journal)) as up:
        up.introspect(Mint().token())
        up.introspect("x")
        found = [one["verdict"] for one in up.events() if one["event"] == "decision"]
        assert found == (["accepted", "refused"] if verdicts is None else verdicts)


def test_a_flood_is_not_a_flood_of_lines(tmp_path: Path):
    with running(settings(tmp_path / "log")) as up:
        for _ in range(200):
            up.forward("x")
        lines = [one for one in up.events() if one["event"] == "decision"]
        assert len(lines) < 200
        assert sum(1 + one.get("suppressed", 0) for one in lines) <= 200
        assert len(up.rows()) == 200


def test_a_rate_tells_what_it_left_out():
    now = [0.0]
    rate = Rate(2, ticks=lambda: now[0])
    assert [rate.ask() for _ in range(5)] == [0, 0, None, None, None]
    now[0] = 1.0
    assert [rate.ask(), rate.ask(), rate.ask()] == [3, 0, None]


def test_nobody_reads_the_journal():
    stream = io.StringIO()
    stream.close()
    Journal(stream).write("event")
    Journal(None).write("event")


def test_the_servers_own_lines_have_no_words_of_others():
    try:
        int("the token was eyJ")
    except ValueError:
        record = logging.LogRecord("uvicorn.error", 40, "x", 1, "Exception %s", ("eyJ",), sys.exc_info())
    line = JsonFormatter().format(record)
    assert "eyJ" not in line
    assert json.loads(line)["error"] == "ValueError"
    assert "test_operations.py" in json.loads(line)["at"][0]
    plain = logging.LogRecord("uvicorn.error", 30, "x", 1, "Invalid %s", ("request",), None)
    assert json.loads(JsonFormatter().format(plain))["message"] == "Invalid request"


def test_nothing_is_at_other_paths(server: Running):
    answer = server.ask("GET", "/introspect/", [basic("mail", SECRET)])
    assert (answer.status, answer.json["error"]) == (404, "not_found")
