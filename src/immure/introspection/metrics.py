"""Counters for Prometheus. Labels have few values: channels, and the codes of our own errors.

With several workers the values of all are added up, through files in the directory that
``PROMETHEUS_MULTIPROC_DIR`` names (prometheus-client, "Multiprocess mode"); :mod:`immure.introspection.serve`
sets it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from immure.tokens.source import KeySource

MEDIA_TYPE: Final = CONTENT_TYPE_LATEST
_BUCKETS: Final = (
    0.00005, 0.0001, 0.00015, 0.0002, 0.0003, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0,
)  # fmt: skip
_DIRECTORY: Final = "PROMETHEUS_MULTIPROC_DIR"


class ProcessMetrics:
    """The counters of one process, added up with those of its neighbours where there are several."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()

    def close(self) -> None:
        """This process is about to end; what it has counted stays."""
        if _DIRECTORY in os.environ:
            mark_process_dead(os.getpid())  # type: ignore[no-untyped-call]

    def text(self) -> bytes:
        """All of them, as Prometheus reads them."""
        registry = self._registry
        if _DIRECTORY in os.environ:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)


class Metrics(ProcessMetrics):
    """The counters of one server."""

    def __init__(self) -> None:
        super().__init__()
        registry = self._registry
        self._decisions = Counter(
            "immure_decisions", "Tokens decided about.", ("channel", "verdict", "rule"), registry=registry
        )
        self._undecided = Counter(
            "immure_undecided", "Tokens without a verdict.", ("channel", "code"), registry=registry
        )
        self._seconds = Histogram(
            "immure_decision_seconds",
            "Time of a decision, with its row in the log.",
            ("channel",),
            buckets=_BUCKETS,
            registry=registry,
        )
        self._clients = Counter("immure_client_refusals", "Askers that are no client.", registry=registry)
        self._log = Gauge(
            "immure_acceptance_log_works",
            "Whether rows can be written.",
            registry=registry,
            multiprocess_mode="livemin",
        )
        self._sources = _SourceCounters(registry)
        self._counters: dict[tuple[str, str], tuple[Counter, Histogram]] = {}
        self._log.set(1)

    def decided(self, channel: str, rule: str, seconds: float) -> None:
        """One decision; ``rule`` is empty for an accepted token."""
        pair = self._counters.get((channel, rule))
        if pair is None:
            verdict = "refused" if rule else "accepted"
            pair = self._decisions.labels(channel, verdict, rule), self._seconds.labels(channel)
            self._counters[channel, rule] = pair
        pair[0].inc()
        pair[1].observe(seconds)

    def undecided(self, channel: str, code: str) -> None:
        """No decision, and why."""
        self._undecided.labels(channel, code).inc()

    def unknown_client(self) -> None:
        """One request without a client."""
        self._clients.inc()

    def log_works(self, works: bool) -> None:
        """Whether the last row could be written."""
        self._log.set(works)

    def sources(self, sources: Iterable[tuple[str, KeySource]]) -> None:
        """Take over the counters of key sources, by the names of their issuers."""
        self._sources.take(sources)


class _SourceCounters:
    """Sources count by themselves: what came since the last look is added here."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._counters = {
            kind: Counter(f"immure_key_source_{kind}", words, ("issuer",), registry=registry)
            for kind, words in (
                ("fetches", "Fetches or readings of an issuer's keys that were begun."),
                ("failures", "Fetches or readings that failed."),
                ("refused", "Fetches that were wanted and not made (cooldown)."),
            )
        }
        self._seen: dict[tuple[str, str], int] = {}

    def take(self, sources: Iterable[tuple[str, KeySource]]) -> None:
        """Add what is new."""
        for issuer, source in sources:
            for kind, counter in self._counters.items():
                name = "reads" if kind == "fetches" and hasattr(source, "reads") else kind
                value = getattr(source, name, 0)
                counter.labels(issuer).inc(max(0, value - self._seen.get((issuer, kind), 0)))
                self._seen[issuer, kind] = value
