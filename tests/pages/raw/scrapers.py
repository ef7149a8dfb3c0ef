"""What the Scrapers tab and a scraper's own page must show."""

from __future__ import annotations

import numpy as np

from charts.info import LineInfo, PieInfo, RadarInfo, ScatterInfo
from pages.page import Rows
from tests.pages.raw import overview
from tests.pages.raw.fleet import Raw
from tests.pages.raw.judge import near_percentile, near_percentiles, same


def comparison(info: LineInfo, raw: Raw, before: Raw) -> None:
    """A line a source: the p95 of every bucket, which is what links compare by when they don't say."""
    assert [line.name for line in info.lines] == sorted(set(raw.pages.scraper_source))
    for line in info.lines:
        rows = raw.pages[raw.pages.scraper_source == line.name]
        near_percentiles(line.y, rows, raw.range.bucket_count, 0.95)


def scores(info: RadarInfo, raw: Raw, before: Raw) -> None:
    """Success, speed, yield and volume of each source, against the best of them."""
    groups = raw.pages.groupby("scraper_source")
    scraped = raw.scrapes.groupby("scraper_source")
    speed, volume = 1 / groups.duration_ms.mean(), groups.size()
    items = scraped.items_extracted.sum() / scraped.size()
    best = items.max()
    for name, values in info.shapes:
        exact = [
            100 * groups.success.mean()[name],
            100 * speed[name] / speed.max(),
            100 * items[name] / best if best else 100.0,
            100 * volume[name] / volume.max(),
        ]
        np.testing.assert_allclose([values[axis] for axis in (0, 1, 2, 4)], exact, atol=0.051)  # type: ignore[arg-type]
    assert {name for name, _ in info.shapes} == set(groups.groups)


def fleet(info: ScatterInfo, raw: Raw, before: Raw) -> None:
    """Pages, items and mean duration of each source."""
    assert {point.name for point in info.points} == set(raw.pages.scraper_source)
    for point in info.points:
        rows = raw.pages[raw.pages.scraper_source == point.name]
        pages = rows.metric_type.value_counts().max()
        same([point.x, point.y, point.size], [pages, rows.items_extracted.fillna(0).sum(), rows.duration_ms.mean()])


def share(info: PieInfo, raw: Raw, before: Raw) -> None:
    """The metrics of each source."""
    assert dict(zip(info.labels, info.values, strict=True)) == raw.pages.scraper_source.value_counts().to_dict()


def table(rows: Rows, raw: Raw, before: Raw) -> None:
    """Every source with its figures."""
    shown = {str(row[0]): dict(zip(rows.columns, row, strict=True)) for row in rows.rows}
    groups = raw.pages.groupby("scraper_source")
    assert set(shown) == set(groups.groups)
    for source, part in groups:
        one = shown[str(source)]
        same(
            [
                one["navigations"], one["scrapes"], one["success_rate_percent"], one["mean_ms"], one["items"],
                one["errors"], one["last_seen_ms"],
            ],
            [
                (part.metric_type == "navigation").sum(), (part.metric_type == "scrape").sum(),
                100 * part.success.mean(), part.duration_ms.mean(), part.items_extracted.fillna(0).sum(),
                (~part.success).sum(), part.created_at.max(),
            ],
        )  # fmt: skip
        near_percentile(one["p95_ms"], part.duration_ms, 0.95)  # type: ignore[arg-type]


CHECKS = {
    "scrapers-comparison": comparison,
    "scrapers-scores": scores,
    "scrapers-fleet": fleet,
    "scrapers-volume": overview.CHECKS["overview-throughput"],
    "scrapers-share": share,
    "scrapers-table": table,
    "scraper-events": overview.events,
}
