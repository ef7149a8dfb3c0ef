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
            and has_labels(metric, filter.labels)
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
    for quantile, rank in ((found.p50_ms, 0.5), (found.p95_ms, 0.95), (found.p99_ms, 0.99)):
        check_quantile(quantile, durations, rank)


def check_quantile(found: float | None, durations: Sequence[float], rank: float, *, exact: bool = False) -> None:
    error = 1e-12 if exact else RELATIVE_ERROR * 1.000001
    assert found == pytest.approx(float(np.quantile(durations, rank)), rel=error, abs=1e-12 if exact else 0.0011)


def check_series(found: Series, span: TimeRange, pages: Sequence[Page]) -> None:
    assert found.bucket_ms.tolist() == list(range(span.start_ms, span.end_ms, span.bucket_ms))
    for index, start_ms in enumerate(found.bucket_ms.tolist()):
        inside = [page for page in pages if start_ms <= page.recorded_at_ms < start_ms + span.bucket_ms]
        assert found.navigations[index] == sum(isinstance(page, PageNavigation) for page in inside)
        assert found.scrapes[index] == sum(isinstance(page, PageScrape) for page in inside)
        assert found.successes[index] == sum(page.success for page in inside)
        assert found.errors[index] == sum(not page.success for page in inside)
        assert found.items[index] == sum(map(items, inside))
        assert found.active_sources[index] == len({page.scraper_source for page in inside})
        durations = [duration_ms(page) for page in inside]
        if not inside:
            assert np.isnan([found.mean_ms[index], found.p50_ms[index], found.p99_ms[index]]).all()
            continue
        assert found.mean_ms[index] == pytest.approx(sum(durations) / len(durations), rel=1e-12)
        for quantiles, rank in ((found.p50_ms, 0.5), (found.p95_ms, 0.95), (found.p99_ms, 0.99)):
            check_quantile(quantiles[index], durations, rank)


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
        counts = [
            sum(start_ms <= page.recorded_at_ms < start_ms + span.bucket_ms for page in own)
            for start_ms in found.series.bucket_ms.tolist()
        ]
        assert stats.counts.tolist() == found.throughput[stats.source].tolist() == counts


def empty(engine: Engine) -> None:
    """Delete every row of a test database, so that another example can use it."""
    with begin_writing(engine) as connection:
        for table in Base.metadata.tables:
            connection.execute(text(f"DELETE FROM {table}"))
