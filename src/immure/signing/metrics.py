"""Counters of the signing service for Prometheus. Labels have few values: issuers, grants, our own codes.

With several workers the values of all are added up, as in front of introspection.
"""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from immure.introspection.metrics import ProcessMetrics

_BUCKETS: Final = (
    0.0005,
    0.001,
    0.002,
    0.003,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    5.0,
    10.0,
    30.0,
)


class Metrics(ProcessMetrics):
    """The counters of one process."""

    def __init__(self) -> None:
        super().__init__()
        registry = self._registry
        self._issued = Counter(
            "immure_tokens_issued",
            "Requests that tokens were given for.",
            ("issuer", "grant"),
            registry=registry,
        )
        self._seconds = Histogram(
            "immure_token_seconds",
            "Time from a request to its token, with the row in the ledger.",
            ("issuer",),
            buckets=_BUCKETS,
            registry=registry,
        )
        self._refused = Counter(
            "immure_signing_refusals", "Requests that were refused.", ("endpoint", "error"), registry=registry
        )
        self._failed = Counter(
            "immure_signing_failures", "What failed of our own.", ("code",), registry=registry
        )
        self._counters: dict[tuple[str, str], tuple[Counter, Histogram]] = {}
        gauges = (
            ("immure_key_age_seconds", "Seconds since the key began to sign."),
            ("immure_ledger_rows", "Tokens in the ledger, from the first."),
            ("immure_ledger_open_rows", "Tokens in the ledger that are in no batch yet."),
            ("immure_ledger_watermark_lag_seconds", "Seconds by which the watermark is behind the clock."),
        )
        self._gauges = {
            name: Gauge(name, words, ("issuer",), registry=registry, multiprocess_mode="livemax")
            for name, words in gauges
        }

    def issued(self, issuer: str, grant: str, seconds: float) -> None:
        """One request for which there were tokens."""
        pair = self._counters.get((issuer, grant))
        if pair is None:
            pair = self._issued.labels(issuer, grant), self._seconds.labels(issuer)
            self._counters[issuer, grant] = pair
        pair[0].inc()
        pair[1].observe(seconds)

    def refused(self, endpoint: str, error: str) -> None:
        """One request that was refused."""
        self._refused.labels(endpoint, error).inc()

    def failed(self, code: str) -> None:
        """One thing of our own that failed."""
        self._failed.labels(code).inc()

    def standing(self, issuer: str, **values: float) -> None:
        """Where an issuer stands; names are those of the gauges without ``immure_``."""
        for name, value in values.items():
            self._gauges[f"immure_{name}"].labels(issuer).set(value)
