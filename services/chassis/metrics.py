"""Prometheus metrics of one app: requests by route and status, and whatever gauges its parts offer."""

from collections.abc import Callable, Iterable, Mapping

from prometheus_client import CollectorRegistry, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)

Read = Callable[[], float | Mapping[tuple[str, ...], float]]


class Metrics:
    """Owns its registry: several apps may live in one process (tests do that)."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=self.registry)
        self._seconds = Histogram(
            "billing_http_request_seconds",
            "Time to answer a request; _count of it counts requests",
            ("method", "route", "status"),
            buckets=BUCKETS_S,
            registry=self.registry,
        )
        # Looking a label set up costs more than the observation itself, so each is looked up once.
        self._observe: dict[tuple[str, str, int], Callable[[float], None]] = {}

    def observe_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """route: the template (bounded), never the path."""
        key = method, route, status
        observe = self._observe.get(key)
        if observe is None:
            observe = self._observe[key] = self._seconds.labels(method, route, str(status)).observe
        observe(seconds)

    def gauge(self, name: str, meaning: str, read: Read, labels: tuple[str, ...] = ()) -> None:
        """A value read when it is scraped. read: a number, or one per tuple of label values; cheap, never waiting."""
        self.registry.register(_ReadGauge(name, meaning, read, labels))

    def text(self) -> bytes:
        """Everything in Prometheus' text format (CONTENT_TYPE)."""
        return generate_latest(self.registry)


class _ReadGauge(Collector):
    def __init__(self, name: str, meaning: str, read: Read, labels: tuple[str, ...]) -> None:
        self._name, self._meaning, self._read, self._labels = name, meaning, read, labels

    def describe(self) -> Iterable[GaugeMetricFamily]:
        # So that registering does not read: at that moment nothing may have been opened yet.
        return [GaugeMetricFamily(self._name, self._meaning, labels=self._labels)]

    def collect(self) -> Iterable[GaugeMetricFamily]:
        family = GaugeMetricFamily(self._name, self._meaning, labels=self._labels)
        values = self._read()
        for label_values, value in values.items() if isinstance(values, Mapping) else [((), values)]:
            family.add_metric(label_values, value)
        yield family
