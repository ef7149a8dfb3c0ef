"""What the Scrapers tab and a scraper's own page must show."""

from __future__ import annotations

from collections.abc import Callable

from charts.info import LineInfo, PieInfo
from pages.page import Rows
from tests.pages.raw import overview
from tests.pages.raw.fleet import NOW_MS, Raw
from tests.pages.raw.judge import near_percentile, near_percentiles, same


def comparison(metric: str) -> Callable[[LineInfo, Raw, Raw], None]:
    """A line a source of one metric; a rate of the bucket that isn't over yet is left out."""

    def check(info: LineInfo, raw: Raw, before: Raw) -> None:
        assert [line.name for line in info.lines] == sorted(set(raw.pages.scraper_source))
        over = raw.range.bucket_starts() + raw.range.bucket_ms <= NOW_MS
        for line in info.lines:
            rows = raw.pages[raw.pages.scraper_source == line.name]
            match metric:
                case "p95":
                    near_percentiles(line.y, rows, raw.range.bucket_count, 0.95)
                case "success":
                    same(line.y, 100 * raw.per_bucket(rows.success.astype(float), "mean"))
                case "volume":
                    exact = raw.per_minute((raw.pages.scraper_source == line.name).astype(float))
                    exact[~over] = float("nan")
                    same(line.y, exact)

    return check


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
    "scrapers-p95": comparison("p95"),
    "scrapers-success": comparison("success"),
    "scrapers-volume": comparison("volume"),
    "scrapers-share": share,
    "scrapers-table": table,
    "scraper-events": overview.events,
}
