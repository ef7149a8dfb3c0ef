"""What the Navigation and the Scraping tab are to be told, computed from all metrics in the most obvious way."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np
import pytest

from collector.events import PageNavigation, PageScrape
from db.error_kinds import kind_of_error
from db.queries import Queries
from db.results import Filter, Kind, TimeRange
from tests.db.brute_force import Page, Truth, check_quantile, duration_ms


def check_tabs(queries: Queries, truth: Truth, span: TimeRange, filter: Filter) -> None:
    """Compare every answer of `db.tab_queries`, and the groups of errors, with the truth."""
    navigations = [page for page in truth.pages(span, filter, "navigation") if isinstance(page, PageNavigation)]
    scrapes = [page for page in truth.pages(span, filter, "scrape") if isinstance(page, PageScrape)]
    kinds: tuple[Kind, ...] = ("navigation", "scrape")
    for kind in kinds:
        check_week(queries, truth.pages(span, filter, kind), span, filter, kind)
        check_worst(queries, truth.pages(span, filter, kind), span, filter, kind)
        check_errors(queries, truth, span, filter, kind)
    check_errors(queries, truth, span, filter, None)
    check_attempts(queries, navigations, span, filter)
    check_yields(queries, scrapes, span, filter)
    check_outcomes(queries, scrapes, span, filter)
    check_items(queries, scrapes, span, filter)
    before = [page for page in truth.pages(span.before(), filter, "scrape") if isinstance(page, PageScrape)]
    check_fields(queries, scrapes, before, span, filter)


def check_week(queries: Queries, pages: Sequence[Page], span: TimeRange, filter: Filter, kind: Kind) -> None:
    found = queries.week_hours(span, filter, kind)
    cells: dict[tuple[int, int], list[Page]] = defaultdict(list)
    for page in pages:
        moment = dt.datetime.fromtimestamp(page.recorded_at_ms / 1000, dt.UTC)
        cells[moment.weekday(), moment.hour].append(page)
    assert (found.counts.sum(), np.isnan(found.p95_ms).sum()) == (len(pages), 7 * 24 - len(cells))
    for at, own in cells.items():
        durations = [duration_ms(page) for page in own]
        assert (found.counts[at], found.successes[at]) == (len(own), sum(page.success for page in own))
        assert found.mean_ms[at] == pytest.approx(sum(durations) / len(durations), rel=1e-9)
        check_quantile(found.p95_ms[at], durations, 0.95)
        assert found.success_rate[at] == pytest.approx(100 * sum(page.success for page in own) / len(own))


def check_worst(queries: Queries, pages: Sequence[Page], span: TimeRange, filter: Filter, kind: Kind) -> None:
    groups: dict[tuple[str, str], list[Page]] = defaultdict(list)
    for page in pages:
        groups[page.url, page.scraper_source].append(page)
    order = []
    for (url, source), own in groups.items():
        failures = sum(not page.success for page in own)
        order.append((failures**2 / len(own), sum(map(duration_ms, own)) / len(own), url, source))
    order.sort(key=lambda page: (-page[0], -page[1]))
    for limit in (2, 1000):
        found = queries.worst_urls(span, filter, kind, limit)
        assert [url.errors**2 / url.count for url in found] == pytest.approx([page[0] for page in order[:limit]])
        assert [url.mean_ms for url in found] == pytest.approx([page[1] for page in order[:limit]])
        assert len({(url.url, url.source) for url in found}) == len(found)


def check_errors(queries: Queries, truth: Truth, span: TimeRange, filter: Filter, kind: Kind | None) -> None:
    found = queries.errors_by_kind(span, filter, kind)
    assert {group[:5] for group in found} == truth.errors(span, filter, kind)
    assert list(found) == sorted(found, key=lambda group: (-group.failures, group.error))
    failed = [page for page in truth.pages(span, filter, kind) if not page.success]
    for group in found:
        own = [page for page in failed if kind_of_error(page.error or "") == group.error]
        ends_ms = [*group.starts_ms[1:], span.end_ms]
        assert group.starts_ms[0] == span.start_ms
        assert list(group.counts) == [
            sum(low <= page.recorded_at_ms < high for page in own)
            for low, high in zip(group.starts_ms, ends_ms, strict=True)
        ]
        everywhere = TimeRange(group.last_seen_ms, group.last_seen_ms + 1, 1)
        assert group.sample in {
            page.error or "" for page in truth.pages(everywhere, Filter())
            if not page.success and kind_of_error(page.error or "") == group.error
        }  # fmt: skip


def check_attempts(queries: Queries, navigations: Sequence[PageNavigation], span: TimeRange, filter: Filter) -> None:
    found = queries.attempts(span, filter)
    retries = Counter((min(page.retry_count, 3), page.success) for page in navigations)
    assert found.retries == tuple((retries[number, True], retries[number, False]) for number in range(4))
    statuses = Counter((page.status_code, page.success) for page in navigations)
    assert dict(found.statuses) == {
        status: (statuses[status, True], statuses[status, False])
        for status in {page.status_code for page in navigations}
    }


def check_yields(queries: Queries, scrapes: Sequence[PageScrape], span: TimeRange, filter: Filter) -> None:
    found = queries.yields(span, filter)
    for index, (low, high) in enumerate(_bounds(found.start_ms.tolist(), span)):
        own = [page for page in scrapes if low <= page.recorded_at_ms < high]
        sizes = [page.data_size for page in own if page.data_size is not None]
        assert found.scrapes[index] == len(own)
        assert found.items[index] == sum(page.items_extracted for page in own)
        assert found.ok[index] == sum(page.success for page in own)
        assert found.ok_without_items[index] == sum(page.success and not page.items_extracted for page in own)
        assert (found.sized[index], found.data_size[index]) == (len(sizes), sum(sizes))


def check_outcomes(queries: Queries, scrapes: Sequence[PageScrape], span: TimeRange, filter: Filter) -> None:
    found = queries.outcome_series(span, filter)
    told = [page.outcome or ("ok" if page.success else "failed") for page in scrapes]
    assert set(found.counts) == set(told)
    bounds = _bounds(found.start_ms.tolist(), span)
    assert found.end_ms.tolist() == [high for _, high in bounds]
    for name, counts in found.counts.items():
        own = [page.recorded_at_ms for page, outcome in zip(scrapes, told, strict=True) if outcome == name]
        assert counts.tolist() == [sum(low <= at_ms < high for at_ms in own) for low, high in bounds]


def check_items(queries: Queries, scrapes: Sequence[PageScrape], span: TimeRange, filter: Filter) -> None:
    found = queries.items_by_source(span, filter)
    assert list(found) == sorted({page.scraper_source for page in scrapes if page.items_extracted})
    for source, items in found.items():
        assert items.tolist() == [
            sum(
                page.items_extracted for page in scrapes
                if page.scraper_source == source and low <= page.recorded_at_ms < low + span.bucket_ms
            )
            for low in range(span.start_ms, span.end_ms, span.bucket_ms)
        ]  # fmt: skip


def _bounds(starts_ms: list[int], span: TimeRange) -> list[tuple[int, int]]:
    assert starts_ms[0] == span.start_ms
    return list(zip(starts_ms, [*starts_ms[1:], span.end_ms], strict=True))


def check_fields(
    queries: Queries, scrapes: Sequence[PageScrape], before: Sequence[PageScrape], span: TimeRange, filter: Filter
) -> None:
    found = queries.field_coverage(span, filter)
    wanted = {}
    for source in {page.scraper_source for page in scrapes if page.fields}:
        now, then = (
            [page for page in pages if page.fields and page.scraper_source == source] for pages in (scrapes, before)
        )
        items, items_then = (sum(page.items_extracted for page in pages) for pages in (now, then))
        for field in {name for page in (*now, *then) for name in page.fields or {}} if items else ():
            had, had_then = (sum((page.fields or {}).get(field, 0) for page in pages) for pages in (now, then))
            wanted[source, field] = (items, had, items_then, had_then)
    assert {(one.source, one.field): one[2:6] for one in found} == wanted
    falls = [one.fall or 0 for one in found]
    assert falls == sorted(falls, reverse=True)
    for one in found:
        own = [page for page in scrapes if page.fields and page.scraper_source == one.source]
        for index, (low, high) in enumerate(_bounds(list(one.starts_ms), span)):
            inside = [page for page in own if low <= page.recorded_at_ms < high]
            assert one.items_then[index] == sum(page.items_extracted for page in inside)
            assert one.had_then[index] == sum((page.fields or {}).get(one.field, 0) for page in inside)
