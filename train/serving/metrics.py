"""What a reward server counts, in Prometheus' text form. Knows no protocol and no model."""

from __future__ import annotations

from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4
_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 180.0)
_ROWS: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


class Metrics:
    """Counters of one server, apart from those of any other in the process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        told: dict[str, Any] = {"namespace": "tenet_rewards", "registry": self._registry}
        self.requests = Counter("requests", "Requests answered, by path and status.", ["path", "status"], **told)
        self.rows = Counter("rows", "Responses that got a reward.", **told)
        self.unscored = Counter("unscored_rows", "Responses about which the source could say nothing.", **told)
        self.failures = Counter("failures", "Errors of the model, by kind.", ["kind"], **told)
        self.prompts = Counter(
            "prompts", "Prompts by how they were read: messages, template (rendered by the policy's) or text.", ["form"], **told
        )  # fmt: skip
        self.waiting = Gauge("queue_rows", "Responses that wait for the model.", **told)
        self.batches = Histogram("batch_rows", "Responses in a batch of the model.", buckets=_ROWS, **told)
        self.batch_seconds = Histogram("batch_seconds", "Seconds of a batch in the model.", buckets=_SECONDS, **told)
        self.latency = Histogram(
            "request_seconds", "Seconds from a request's arrival to its answer.", buckets=_SECONDS, **told
        )

    def text(self) -> bytes:
        """All of it, as Prometheus reads it."""
        return generate_latest(self._registry)

    def value(self, name: str, **labels: str) -> float:
        """One sample by its full name, 0 where there is none yet."""
        return self._registry.get_sample_value(f"tenet_rewards_{name}", labels) or 0.0
