"""What the Navigation and Scraping tabs must show."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from charts.info import BarInfo, HistogramInfo, LineInfo, PieInfo
from db.error_kinds import kind_of_error
from db.sketch import RELATIVE_ERROR
from pages.page import Rows
from tests.pages.raw.fleet import Raw
from tests.pages.raw.judge import near_percentiles, same


def of_kind(raw: Raw, kind: str) -> pd.DataFrame:
    """The rows of one kind."""
    return raw.navigations if kind == "navigation" else raw.scrapes


def trend(kind: str) -> Callable[[LineInfo, Raw, Raw], None]:
    """Mean and percentiles of a kind's duration, bucket by bucket."""

    def check(info: LineInfo, raw: Raw, before: Raw) -> None:
        rows = of_kind(raw, kind)
        lines = {line.name: line.y for line in info.lines}
        assert set(lines) == {"mean", "p50", "p95", "p99"}
        same(lines["mean"], raw.per_bucket(rows.duration_ms, "mean"))
        for rank in (50, 95, 99):
            near_percentiles(lines[f"p{rank}"], rows, raw.range.bucket_count, rank / 100)

    return check


def spread(kind: str) -> Callable[[HistogramInfo, Raw, Raw], None]:
    """How many of a kind took how long: as many as there are, none counted farther off than the sketch's error."""

    def check(info: HistogramInfo, raw: Raw, before: Raw) -> None:
        durations_ms = np.sort(of_kind(raw, kind).duration_ms.to_numpy())
        assert sum(info.counts) == len(durations_ms)
        for edge_ms, below in zip(list(info.edges)[1:-1], np.cumsum(list(info.counts))[:-1], strict=True):
            least = np.searchsorted(durations_ms, edge_ms * (1 - 2.1 * RELATIVE_ERROR), "left")
            most = np.searchsorted(durations_ms, edge_ms * (1 + 2.1 * RELATIVE_ERROR), "right")
            assert least <= below <= most, (edge_ms, below, least, most)

    return check


def urls(kind: str) -> Callable[[Rows, Raw, Raw], None]:
    """Every page of a kind with its figures."""

    def check(rows: Rows, raw: Raw, before: Raw) -> None:
        exact = of_kind(raw, kind).groupby(["page_url", "scraper_source"])
        shown = {(row[0], row[1]): dict(zip(rows.columns, row, strict=True)) for row in rows.rows}
        assert set(shown) == set(exact.groups)
        for key, part in exact:
            one = shown[key]  # type: ignore[index]
            same(
                [one["count"], one["errors"], one["items"], one["mean_ms"], one["max_ms"], one["last_seen_ms"]],
                [
                    len(part), (~part.success).sum(), part.items_extracted.fillna(0).sum(), part.duration_ms.mean(),
                    part.duration_ms.max(), part.created_at.max(),
                ],
            )  # fmt: skip

    return check


def errors(kind: str | None) -> Callable[[Rows, Raw, Raw], None]:
    """Every kind of error with its count and the newest moment, the most frequent first."""

    def check(rows: Rows, raw: Raw, before: Raw) -> None:
        failed = (raw.pages if kind is None else of_kind(raw, kind)).query("not success")
        groups = failed.groupby(failed.error.fillna("").map(kind_of_error))
        shown = [dict(zip(rows.columns, row, strict=True)) for row in rows.rows]
        assert {str(one["error"]) for one in shown} == set(groups.groups)
        assert [one["failures"] for one in shown] == sorted((len(part) for _, part in groups), reverse=True)
        for one in shown:
            part = groups.get_group(one["error"])
            assert (one["failures"], one["last_seen_ms"]) == (len(part), part.created_at.max())
            assert one["first_seen_ms"] == part.created_at.min()
            assert one["sources"] == ", ".join(sorted(set(part.scraper_source)))
            assert kind_of_error(str(one["sample"])) == one["error"]

    return check


def items(info: BarInfo, raw: Raw, before: Raw) -> None:
    """The items of each source."""
    exact = raw.pages.groupby("scraper_source").items_extracted.sum()
    assert set(info.categories) == set(exact.index)
    same(info.values or (), [exact[name] for name in info.categories])


def outcomes(info: PieInfo, raw: Raw, before: Raw) -> None:
    """How scrapes ended."""
    given = raw.scrapes.outcome.where(
        raw.scrapes.outcome.notna(), raw.scrapes.success.map({True: "ok", False: "failed"})
    )
    assert dict(zip(info.labels, info.values, strict=True)) == given.value_counts().to_dict()


CHECKS = {
    "navigation-duration": trend("navigation"),
    "navigation-spread": spread("navigation"),
    "navigation-slowest": urls("navigation"),
    "navigation-errors": errors("navigation"),
    "scraping-duration": trend("scrape"),
    "scraping-items": items,
    "scraping-outcomes": outcomes,
    "scraping-worst": urls("scrape"),
    "scraping-errors": errors("scrape"),
    "scraper-navigation": trend("navigation"),
    "scraper-scrape": trend("scrape"),
    "scraper-slowest": urls("navigation"),
    "scraper-failures": errors(None),
}
