"""Prometheus metrics of the HTTP face, in a registry of the app's own.

Labels are the route's template and never a value of the request. Each worker process counts for
itself; a scraper that wants all of them scrapes each.
"""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from adapters.http.record import RequestRecord

CONTENT_TYPE = CONTENT_TYPE_LATEST
# Around the promise: p99 of an order within 60 ms.
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.04, 0.06, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class HTTPMetrics:
    """Counts and times of requests. Other parts may register theirs in ``registry``."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._seconds = Histogram(
            "cardcore_http_request_seconds",
            "Time from the request's head to the last byte of the answer.",
            ["method", "route", "status"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._problems = Counter(
            "cardcore_http_problems",
            "Refusals by their stable code.",
            ["code"],
            registry=self.registry,
        )
        self.in_flight = Gauge(
            "cardcore_http_requests_in_flight",
            "Requests that have no answer yet.",
            registry=self.registry,
        )
        self._parts = Gauge(
            "cardcore_part_not_ok",
            "1 where a part the service needs is away, or raises an alarm.",
            ["part"],
            registry=self.registry,
        )
        # The library looks a child up under a lock; one per (method, route, status) is kept here.
        self._children: dict[tuple[str, str, int], Histogram] = {}

    def observe(self, record: RequestRecord, *, status: int, seconds: float) -> None:
        """Count one answered request."""
        key = (record.method, record.route, status)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = self._seconds.labels(*map(str, key))
        child.observe(seconds)
        if record.problem is not None:
            self._problems.labels(record.problem).inc()

    def tell_parts(self, parts: Mapping[str, str]) -> None:
        """Keep what each part says of itself: ``ok``, or why not."""
        for part, state in parts.items():
            self._parts.labels(part).set(state != "ok")

    def page(self) -> bytes:
        """All metrics of the registry in Prometheus' text format."""
        return generate_latest(self.registry)
