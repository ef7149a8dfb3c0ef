"""What `db.queries` must answer, computed from the list of all metrics in the most obvious way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from sqlalchemy import text
from sqlalchemy.engine import Engine

from collector.events import Metric, PageNavigation, PageScrape, SchedulerRun
from db.engine import begin_writing
from db.error_kinds import kind_of_error
from db.models import Base
from db.results import Filter, Kind, Overview, Series, TimeRange, Totals
from db.sketch import RELATIVE_ERROR

Page = PageNavigation | PageScrape

RANKS = (0.5, 0.95, 0.99)
# What a sketch may be wrong by: (of the value, in ms).
SKETCHED = (RELATIVE_ERROR * 1.000001, 0.0011)


@dataclass(frozen=True)
class Truth:
    """All page metrics that were ever stored."""

    metrics: Sequence[Metric]

    def pages(self, span: TimeRange, filter: Filter, kind: Kind | None = None) -> list[Page]:
        return [
            metric
            for metric in self.metrics
            if not isinstance(metric, SchedulerRun)
            and span.start_ms <= metric.recorded_at_ms < span.end_ms
            and (not filter.sources or metric.scraper_source in filter.sources)
            and (filter.result == "all" or metric.success == (filter.result == "ok"))
            and filter.url_contains.lower() in metric.url.lower()
            and filter.url in ("", metric.url)
            and filter.run in ("", metric.run_id)
            and (filter.kind == "all" or isinstance(metric, PageScrape) == (filter.kind == "scrape"))
            and (not filter.outcomes or outcome(metric) in filter.outcomes)
            and (not filter.error or (not metric.success and kind_of_error(metric.error or "") == filter.error))
            and (not filter.labels or has_labels(metric, filter.labels))
            and (kind is None or isinstance(metric, PageScrape) == (kind == "scrape"))
        ]

    def outcomes(self, span: TimeRange, filter: Filter) -> dict[str, int]:
        scrapes = self.pages(span, filter, "scrape")
        return dict(Counter(str(outcome(scrape)) for scrape in scrapes))

    def errors(self, span: TimeRange, filter: Filter, kind: Kind | None) -> set[tuple[object, ...]]:
        """Return (kind, failures, last seen, first seen, sources) of each kind of error."""
        failed = [page for page in self.pages(span, filter, kind) if not page.success]
        found: set[tuple[object, ...]] = set()
        for error in {kind_of_error(page.error or "") for page in failed}:
            own = [page for page in failed if kind_of_error(page.error or "") == error]
            moments = [page.recorded_at_ms for page in own]
            sources = tuple(sorted({page.scraper_source for page in own}))
            found.add((error, len(own), max(moments), min(moments), sources))
        return found


def outcome(page: Page) -> str | None:
    if not isinstance(page, PageScrape):
        return None
    return page.outcome or ("ok" if page.success else "failed")


def has_labels(page: Page, wanted: Sequence[str]) -> bool:
    own = [f"{key}={value}" for key, value in (page.labels or {}).items()]
    keys = {label.split("=")[0] for label in wanted}
    return all(any(label in own for label in wanted if label.split("=")[0] == key) for key in keys)


def duration_ms(page: Page) -> float:
    return page.scrape_duration_ms if isinstance(page, PageScrape) else page.navigation_duration_ms


def items(page: Page) -> int:
    return page.items_extracted if isinstance(page, PageScrape) else 0


def check_totals(found: Totals, pages: Sequence[Page]) -> None:
    durations = [duration_ms(page) for page in pages]
    assert found.navigations == sum(isinstance(page, PageNavigation) for page in pages)
    assert found.scrapes == sum(isinstance(page, PageScrape) for page in pages)
    assert found.successes == sum(page.success for page in pages)
    assert found.errors == sum(not page.success for page in pages)
    assert found.items == sum(map(items, pages))
    assert found.active_sources == len({page.scraper_source for page in pages})
    if not pages:
        assert (found.success_rate, found.mean_ms, found.min_ms, found.max_ms, found.p50_ms) == (None,) * 5
        return
    assert found.success_rate == 100 * found.successes / len(pages)
    assert found.mean_ms == pytest.approx(sum(durations) / len(durations), rel=1e-12)
    assert (found.min_ms, found.max_ms) == (min(durations), max(durations))
    check_close((found.p50_ms, found.p95_ms, found.p99_ms), np.quantile(durations, RANKS), *SKETCHED)


def check_quantile(found: float | None, durations: Sequence[float], rank: float, *, exact: bool = False) -> None:
    check_close(found, np.quantile(durations, rank), *((1e-12, 1e-12) if exact else SKETCHED))


def check_close(found: object, expected: object, relative: float, absolute: float) -> None:
    """Compare numbers, each as `pytest.approx` compares one: where nothing is expected (NaN) nothing is found."""
    numbers, right = np.asarray(found, dtype=np.float64), np.asarray(expected, dtype=np.float64)
    assert numbers.shape == right.shape
    near = np.abs(numbers - right) <= np.maximum(relative * np.abs(right), absolute)
    wrong = ~(near | (np.isnan(numbers) & np.isnan(right)))
    assert not wrong.any(), f"{numbers[wrong]} instead of {right[wrong]}"


def by_bucket(span: TimeRange, pages: Sequence[Page]) -> list[list[Page]]:
    """Return the pages of each bucket."""
    buckets: dict[int, list[Page]] = {start_ms: [] for start_ms in range(span.start_ms, span.end_ms, span.bucket_ms)}
    for page in pages:
        buckets[page.recorded_at_ms - (page.recorded_at_ms - span.start_ms) % span.bucket_ms].append(page)
    return list(buckets.values())


def check_series(found: Series, span: TimeRange, pages: Sequence[Page]) -> None:
    assert found.bucket_ms.tolist() == list(range(span.start_ms, span.end_ms, span.bucket_ms))
    buckets = by_bucket(span, pages)
    assert found.navigations.tolist() == [sum(isinstance(page, PageNavigation) for page in own) for own in buckets]
    assert found.scrapes.tolist() == [sum(isinstance(page, PageScrape) for page in own) for own in buckets]
    assert found.successes.tolist() == [sum(page.success for page in own) for own in buckets]
    assert found.errors.tolist() == [sum(not page.success for page in own) for own in buckets]
    assert found.items.tolist() == [sum(map(items, own)) for own in buckets]
    assert found.active_sources.tolist() == [len({page.scraper_source for page in own}) for own in buckets]
    durations = [[duration_ms(page) for page in own] for own in buckets]
    check_close(found.mean_ms, [sum(own) / len(own) if own else np.nan for own in durations], 1e-12, 1e-12)
    nothing = [np.nan] * len(RANKS)
    quantiles = np.array([np.quantile(own, RANKS) if own else nothing for own in durations]).T
    check_close((found.p50_ms, found.p95_ms, found.p99_ms), quantiles, *SKETCHED)


def check_overview(found: Overview, truth: Truth, span: TimeRange, filter: Filter) -> None:
    pages = truth.pages(span, filter)
    check_totals(found.current, pages)
    check_totals(found.previous, truth.pages(span.before(), filter))
    check_series(found.series, span, pages)
    assert [stats.source for stats in found.sources] == sorted({page.scraper_source for page in pages})
    assert list(found.throughput) == [stats.source for stats in found.sources]
    for stats in found.sources:
        own = [page for page in pages if page.scraper_source == stats.source]
        check_totals(stats.totals, own)
        assert stats.last_seen_ms == max(page.recorded_at_ms for page in own)
        assert stats.last_ok_ms == max((page.recorded_at_ms for page in own if page.success), default=None)
        assert stats.items_per_min == sum(map(items, own)) / ((span.end_ms - span.start_ms) / 60_000)
        counts = [len(inside) for inside in by_bucket(span, own)]
        assert stats.counts.tolist() == found.throughput[stats.source].tolist() == counts


def empty(engine: Engine) -> None:
    """Delete every row of a test database, so that another example can use it."""
    with begin_writing(engine) as connection:
        for table in Base.metadata.tables:
            connection.execute(text(f"DELETE FROM {table}"))
