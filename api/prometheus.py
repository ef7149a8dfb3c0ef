"""`GET /metrics`: the app's own figures and every scraper's last five minutes, as Prometheus reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from flask import Blueprint, Response, request
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from api.answers import problem
from db.clock import now_ms
from db.collectors import CollectorLine, totals_of
from db.errors import DatabaseUnavailable
from db.health import StoreHealth
from db.queries import Queries
from db.results import SourceStats, TimeRange

SPAN_MS: Final = 5 * 60_000
BUCKET_MS: Final = 10_000
# What a time series database should be spared: each source is eight series.
MOST_SOURCES: Final = 1_000
_PREFIX: Final = "scrapeboard_"

Stats = Callable[[], Mapping[str, Any]]


class BoardCollector(Collector):
    """Reads the figures when somebody asks for them, so that counting costs nothing between two looks.

    Args:
        health: What was stored, and whether the database answers.
        channel_stats: The live channel's numbers.
        collector_stats: The numbers of the collector in this process.
        queries: Who knows the scrapers.
        deliveries: What became of notifications.
        clock_ms: The present in epoch milliseconds.
    """

    def __init__(
        self,
        health: Callable[[], StoreHealth],
        channel_stats: Stats,
        collector_stats: Stats,
        queries: Queries,
        deliveries: Stats = dict,
        *,
        clock_ms: Callable[[], int] = now_ms,
    ) -> None:
        self._health = health
        self._channel_stats = channel_stats
        self._collector_stats = collector_stats
        self._queries = queries
        self._deliveries = deliveries
        self._clock_ms = clock_ms

    def describe(self) -> list[Metric]:
        """Return nothing: what there is depends on the scrapers, and needn't be read at the registration."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield every family."""
        health = self._health()
        yield from _database(health)
        yield from _channel(self._channel_stats())
        yield from _collector(self._collector_stats())
        yield from _notifications(self._deliveries())
        if health.reachable:
            yield _alerts(self._queries.alert_counts())
            present_ms = self._clock_ms()
            end_ms = (present_ms // BUCKET_MS + 1) * BUCKET_MS
            try:
                collectors = self._queries.collectors(present_ms)
                sources = self._queries.sources(TimeRange(end_ms - SPAN_MS, end_ms, BUCKET_MS))
            except DatabaseUnavailable:
                return  # its gauge says so at the next look
            yield from _scrapers(sources)
            yield from _collectors(collectors, present_ms)


def prometheus_blueprint(collector: BoardCollector) -> Blueprint:
    """Make the route.

    Args:
        collector: Who reads the figures.

    Returns:
        A Flask blueprint.
    """
    blueprint = Blueprint("prometheus", __name__)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)

    @blueprint.get("/metrics")
    def metrics() -> Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return Response(encode(registry), content_type=content_type)

    @blueprint.route("/metrics", methods=["POST", "PUT", "PATCH", "DELETE"])
    def not_for_writing() -> Response:
        answer = problem(405, "GET this for Prometheus; scrapers POST their metrics to /api/ingest")
        answer.headers["Allow"] = "GET"
        return answer

    return blueprint


def _gauge(name: str, says: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(_PREFIX + name, says, value=value)


def _counter(name: str, says: str, value: float) -> CounterMetricFamily:
    return CounterMetricFamily(_PREFIX + name, says, value=value)


def _database(health: StoreHealth) -> Iterator[Metric]:
    yield _gauge("database_up", "Whether the database answers.", health.reachable)
    yield _gauge("database_storing", "Whether the database takes new metrics.", health.storing)
    yield _counter("metrics_stored", "Metrics persisted by this process.", health.rows_stored)
    yield _counter("batches_stored", "Batches persisted by this process.", health.batches_stored)
    yield _counter("batches_duplicate", "Batches that came again and were not stored twice.", health.duplicates)
    yield _counter("metrics_rejected", "Metrics that the store rejected.", health.rows_rejected)


def _channel(stats: Mapping[str, Any]) -> Iterator[Metric]:
    for name, key, says in (
        ("channel_connections", "connections", "Open WebSocket connections."),
        ("channel_subscriptions", "subscriptions", "Subscriptions of /ws/metrics."),
        ("channel_outbox_high_water_bytes", "outboxHighWaterBytes", "The fullest that any viewer's outbox ever was."),
        ("channel_outboxes_bytes", "outboxesBytes", "What waits in memory for slow viewers, all of them together."),
        ("channel_send_p99_milliseconds", "sendP99Ms", "99 of 100 batches went to all within, over the last minute."),
        ("channel_loop_late_p99_milliseconds", "lagP99Ms", "How late the loop was at what was due, likewise."),
        ("views", "views", "Distinct views that browsers follow."),
        ("viewers", "viewers", "Browser tabs that follow a view."),
    ):
        yield _gauge(name, says, stats.get(key) or 0)
    for name, key, says in (
        ("channel_dropped", "dropped", "Frames that somebody didn't get, by reason."),
        ("channel_refused", "refused", "What was asked for and refused, by reason."),
        ("channel_ended", "ended", "Connections that the app ended, by reason."),
    ):
        yield _by_reason(name, says, stats.get(key, {}))
    if "redisUp" in stats:
        yield _gauge("redis_up", "Whether Redis answers, which joins several app processes.", stats["redisUp"])
    for name, key, says in (
        ("channel_frames_sent", "framesSent", "Frames sent to all connections."),
        ("channel_sent_bytes", "bytesSent", "Bytes sent to all connections."),
        ("channel_frames_dropped", "framesDropped", "Frames that slow viewers missed; each was told of it."),
        ("channel_batches_published", "batchesPublished", "Batches published."),
        ("channel_metrics_published", "metricsPublished", "Metrics published."),
        ("views_computed", "computed", "Computations of views."),
        ("views_failed", "failures", "Computations of views that failed."),
    ):
        yield _counter(name, says, stats.get(key, 0))


def _alerts(counts: Mapping[str, int]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(
        f"{_PREFIX}alerts", "Alerts by how they stand; what is recovering fires still.", labels=["state"]
    )
    for state, number in counts.items():
        family.add_metric([state], number)
    return family


def _collector(stats: Mapping[str, Any]) -> Iterator[Metric]:
    yield _gauge("collector_pending", "Metrics of this process' own collector that wait.", stats.get("pending", 0))
    yield _counter("collector_recorded", "Metrics that it was given.", stats.get("recorded", 0))
    yield _counter("collector_flushed", "Metrics that it delivered.", stats.get("flushed", 0))
    yield _by_reason("collector_dropped", "Metrics that it lost, by reason.", stats.get("dropped_by_reason", {}))


def _by_reason(name: str, says: str, counts: Mapping[str, int]) -> CounterMetricFamily:
    family = CounterMetricFamily(_PREFIX + name, says, labels=["reason"])
    for reason, number in sorted(counts.items()):
        family.add_metric([reason], number)
    return family


def _notifications(stats: Mapping[str, Any]) -> Iterator[Metric]:
    """Yield what became of notifications, by the id of their channel."""
    done = CounterMetricFamily(
        _PREFIX + "alert_notifications",
        "Notifications that arrived (sent), were given up (dead), and attempts that failed.",
        labels=["channel", "result"],
    )
    waiting = GaugeMetricFamily(
        _PREFIX + "alert_notifications_waiting", "Notifications that wait, in the app that sends.", labels=["channel"]
    )
    for channel, numbers in sorted(stats.get("channels", {}).items()):
        for result in ("sent", "failed", "dead"):
            done.add_metric([channel, result], numbers[result])
        waiting.add_metric([channel], numbers["waiting"])
    yield from (done, waiting)


def _collectors(lines: Sequence[CollectorLine], present_ms: int) -> Iterator[Metric]:
    """Yield what all collectors that reported within a day add up to; they count since their processes began."""
    totals = totals_of(lines, present_ms)
    yield _gauge("collectors_connected", "Collectors that report.", totals.connected)
    yield _gauge("collectors_away", "Collectors that reported within a day and fell silent.", totals.away)
    for name, says, value in (
        ("recorded", "Metrics that they were given.", totals.recorded),
        ("flushed", "Metrics that they delivered.", totals.flushed),
        ("pending", "Metrics of theirs that wait.", totals.pending),
        ("spool_bytes", "What they keep on disk.", totals.spool_bytes),
        ("corrected", "Metrics of theirs whose times were corrected, because their clocks are off.", totals.corrected),
    ):
        yield _gauge(f"collectors_{name}", says, value)
    dropped = GaugeMetricFamily(_PREFIX + "collectors_dropped", "Metrics that they lost, by reason.", labels=["reason"])
    for reason, number in totals.dropped.items():
        dropped.add_metric([reason], number)
    yield dropped


def _scrapers(sources: tuple[SourceStats, ...]) -> Iterator[Metric]:
    """Yield gauges of the busiest scrapers over the last five minutes."""
    shown = sorted(sources, key=lambda stats: (-stats.totals.count, stats.source))[:MOST_SOURCES]

    def family(name: str, says: str, *labels: str) -> GaugeMetricFamily:
        return GaugeMetricFamily(
            f"{_PREFIX}source_{name}", f"{says} Over the last 5 minutes.", labels=["source", *labels]
        )

    pages = family("pages", "Navigations and scrapes.", "type")
    errors = family("errors", "Failed navigations and scrapes.")
    success = family("success_ratio", "Successful share of navigations and scrapes, 0 to 1.")
    seconds = family("duration_seconds", "Percentiles of the duration of navigations and scrapes.", "quantile")
    items = family("items", "Items extracted.")
    seen = family("last_seen_timestamp_seconds", "When the newest metric was recorded.")
    for stats in shown:
        # What UTF-8 can't carry must not cost the others their figures.
        source, totals = stats.source.encode("utf-8", "replace").decode(), stats.totals
        pages.add_metric([source, "navigation"], totals.navigations)
        pages.add_metric([source, "scrape"], totals.scrapes)
        errors.add_metric([source], totals.errors)
        if totals.success_rate is not None:
            success.add_metric([source], totals.success_rate / 100)
        for quantile, value_ms in (("0.5", totals.p50_ms), ("0.95", totals.p95_ms), ("0.99", totals.p99_ms)):
            if value_ms is not None:
                seconds.add_metric([source, quantile], value_ms / 1000)
        items.add_metric([source], totals.items)
        seen.add_metric([source], stats.last_seen_ms / 1000)
    yield from (pages, errors, success, seconds, items, seen)
    yield _gauge("sources", "Scrapers that reported in the last 5 minutes.", len(sources))
