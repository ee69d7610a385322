"""What a server counts of itself, as Prometheus reads it: amounts and times, nothing that was sent."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

CONTENT_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
_BATCH_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """Counters of one server, in a registry of their own.

    Args:
        inside: how many requests are read, wait or are worked on now.
        waiting: how many of them wait for the model.
    """

    def __init__(self, inside: Callable[[], int], waiting: Callable[[], int]) -> None:
        self._registry = registry = CollectorRegistry()
        self._requests = Counter(
            "foundry_serve_requests", "Requests by path and status.", ("path", "status"), registry=registry
        )
        self._refused = Counter(
            "foundry_serve_errors",
            "Requests without an answer, by what was wrong.",
            ("code",),
            registry=registry,
        )
        self._rows = Counter(
            "foundry_serve_rows", "Rows the model answered, by kind of task.", ("task",), registry=registry
        )
        self._seconds = Histogram(
            "foundry_serve_request_seconds",
            "From a completion's first byte to its last.",
            buckets=_SECONDS,
            registry=registry,
        )
        self._batch_rows = Histogram(
            "foundry_serve_batch_rows", "Rows that shared a batch.", buckets=_BATCH_ROWS, registry=registry
        )
        self._batch_seconds = Histogram(
            "foundry_serve_batch_seconds",
            "Time of the model at a batch.",
            buckets=_SECONDS,
            registry=registry,
        )
        for name, words, count in (
            ("foundry_serve_requests_in_progress", "Requests that are read, wait or are worked on.", inside),
            ("foundry_serve_rows_waiting", "Rows that wait for the model.", waiting),
        ):
            Gauge(name, words, registry=registry).set_function(count)

    def answered(self, path: str, status: int, seconds: float | None) -> None:
        """Count a request.

        Args:
            path: one of those that there are; any other is told as such.
            status: of HTTP.
            seconds: that a completion took; None, it was something else.
        """
        self._requests.labels(path, str(status)).inc()
        if seconds is not None:
            self._seconds.observe(seconds)

    def refused(self, code: str) -> None:
        """Count a request that got a sentence in place of an answer."""
        self._refused.labels(code).inc()

    def batch(self, task: str, rows: int, seconds: float) -> None:
        """Count what the model answered at once; called in the thread that holds it."""
        self._rows.labels(task).inc(rows)
        self._batch_rows.observe(rows)
        self._batch_seconds.observe(seconds)

    def text(self) -> bytes:
        """All of it, in Prometheus' text format."""
        return generate_latest(self._registry)
