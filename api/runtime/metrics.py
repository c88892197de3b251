"""What Prometheus can count here; with PROMETHEUS_MULTIPROC_DIR set, all processes of a machine add up."""

import os
from collections.abc import Iterable, Mapping
from typing import Final

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

# A feed hit takes about a millisecond, a cold build some hundred; the objective for a refresh is half a second.
_REQUEST_BUCKETS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
_REFRESH_BUCKETS: Final = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75, 1.0, 1.5, 3.0, 10.0, 60.0, 120.0)
_STAGE_BUCKETS: Final = (0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1800.0, 7200.0)

REQUEST_SECONDS: Final = Histogram(
    "paperfeed_request_seconds",
    "HTTP requests by route and status.",
    ["method", "route", "status"],
    buckets=_REQUEST_BUCKETS,
)
EVENTS: Final = Counter("paperfeed_events", "Feedback events by kind and by what became of them.", ["kind", "status"])
FEEDS: Final = Counter("paperfeed_feeds", "Feed pages answered, by the source of their list.", ["source"])
FEED_CACHE: Final = Counter("paperfeed_feed_cache", "Feed look-ups in the cache by outcome: hit or miss.", ["outcome"])
REFRESH_SECONDS: Final = Histogram(
    "paperfeed_refresh_seconds",
    "From the commit of the first event that a reader's list did not include to the list that does. Objective: "
    "half within 0.3 s, 95 of 100 within 0.5 s, at 50 events a second over 200 readers in the embedded mode.",
    buckets=_REFRESH_BUCKETS,
)
LISTS_REPAIRED: Final = Counter(
    "paperfeed_lists_repaired",
    "Lists that the sweep found older than their reader's last change: no hint reached them.",
)
TRAINING_RUNS: Final = Counter("paperfeed_training_runs", "Finished training runs by final state.", ["state"])
STAGE_SECONDS: Final = Histogram(
    "paperfeed_training_stage_seconds", "Stages of training runs.", ["stage"], buckets=_STAGE_BUCKETS
)
PAPERS_EMBEDDED: Final = Counter("paperfeed_papers_embedded", "Papers that got a sentence vector.")
SOURCE_RUNS: Final = Counter("paperfeed_source_runs", "Runs of sources by how they ended.", ["source", "outcome"])
SOURCE_PAPERS: Final = Counter(
    "paperfeed_source_papers", "Records of sources by what became of them, and requests.", ["source", "outcome"]
)

MAILS: Final = Counter("paperfeed_mails", "Mails by kind and by what became of an attempt.", ["kind", "outcome"])
DIGESTS: Final = Counter("paperfeed_digests", "Digests that were due by what became of them.", ["outcome"])


def render(gauges: Mapping[str, float], by_source: Mapping[str, Mapping[str, float]] | None = None) -> bytes:
    """Return all metrics in Prometheus's text format, followed by `gauges` read from the stores just now."""
    registry = REGISTRY
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    current = CollectorRegistry()
    current.register(_Gauges(gauges, by_source or {}))
    return generate_latest(registry) + generate_latest(current)


class _Gauges:
    """A Prometheus collector of values that were read elsewhere."""

    def __init__(self, gauges: Mapping[str, float], by_source: Mapping[str, Mapping[str, float]]) -> None:
        self.gauges = gauges
        self.by_source = by_source  # name of a gauge -> source -> value

    def collect(self) -> Iterable[GaugeMetricFamily]:
        for name, value in self.gauges.items():
            family = GaugeMetricFamily(f"paperfeed_{name}", name.replace("_", " ").capitalize() + ".")
            family.add_metric([], value)
            yield family
        for name, values in self.by_source.items():
            family = GaugeMetricFamily(
                f"paperfeed_{name}", name.replace("_", " ").capitalize() + ".", labels=["source"]
            )
            for source, value in values.items():
                family.add_metric([source], value)
            yield family
