"""Prometheus metrics of the HTTP face, in a registry of the app's own.

Labels are the route's template and never a value of the request. Each worker process counts for
itself; a scraper that wants all of them scrapes each. What every request counts is counted in plain
numbers by the event loop, which alone does it: the library's values each take a lock.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import accumulate

from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.core import HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from adapters.http.record import RequestRecord

CONTENT_TYPE = CONTENT_TYPE_LATEST
# Around the promise: p99 of an order within 60 ms.
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.04, 0.06, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


@dataclass(slots=True)
class _Times:
    """Requests of one kind: how many ended in each bucket (the last has no bound), all seconds."""

    buckets: list[int] = field(default_factory=lambda: [0] * (len(_SECONDS) + 1))
    seconds: float = 0.0


class RequestTimes(Collector):
    """The histogram of request times, by method, route and status."""

    def __init__(self) -> None:
        self._times: dict[tuple[str, str, int], _Times] = {}

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answered request."""
        key = (method, route, status)
        times = self._times.get(key)
        if times is None:
            times = self._times[key] = _Times()
        times.buckets[bisect_left(_SECONDS, seconds)] += 1
        times.seconds += seconds

    def collect(self) -> Iterable[Metric]:
        """See ``Collector``."""
        family = HistogramMetricFamily(
            "cardcore_http_request_seconds",
            "Time from the request's head to the last byte of the answer.",
            labels=["method", "route", "status"],
        )
        bounds = [*(str(float(bound)) for bound in _SECONDS), "+Inf"]
        for key, times in self._times.items():
            counts = list(zip(bounds, accumulate(times.buckets), strict=True))
            family.add_metric([str(label) for label in key], counts, times.seconds)
        yield family


class HTTPMetrics:
    """Counts and times of requests. Other parts may register theirs in ``registry``."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._times = RequestTimes()
        self.registry.register(self._times)
        self._problems = Counter(
            "cardcore_http_problems",
            "Refusals by their stable code.",
            ["code"],
            registry=self.registry,
        )
        self.in_flight = 0
        Gauge(
            "cardcore_http_requests_in_flight",
            "Requests that have no answer yet.",
            registry=self.registry,
        ).set_function(lambda: self.in_flight)
        self.log_lines_lost = Counter(
            "cardcore_log_lines_lost",
            "Log lines that could not be written, as on a full disk.",
            registry=self.registry,
        )
        self._parts = Gauge(
            "cardcore_part_not_ok",
            "1 where a part the service needs is away, or raises an alarm.",
            ["part"],
            registry=self.registry,
        )

    def observe(self, record: RequestRecord, *, status: int, seconds: float) -> None:
        """Count one answered request."""
        self._times.observe(record.method, record.route, status, seconds)
        if record.problem is not None:
            self._problems.labels(record.problem).inc()

    def tell_parts(self, parts: Mapping[str, str]) -> None:
        """Keep what each part says of itself: ``ok``, or why not."""
        for part, state in parts.items():
            self._parts.labels(part).set(state != "ok")

    def page(self) -> bytes:
        """All metrics of the registry in Prometheus' text format."""
        return generate_latest(self.registry)
