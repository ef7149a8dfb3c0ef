"""What the Overview tab must show."""

from __future__ import annotations

from charts.info import BarInfo, LineInfo
from pages.page import Rows
from tests.pages.raw.fleet import Raw
from tests.pages.raw.judge import near_percentile, same


def throughput(info: LineInfo, raw: Raw, before: Raw) -> None:
    """A line a source: its metrics a minute."""
    assert [line.name for line in info.lines] == sorted(set(raw.pages.scraper_source))
    for line in info.lines:
        same(line.y, raw.over(raw.per_minute((raw.pages.scraper_source == line.name).astype(float))))


def success(info: BarInfo, raw: Raw, before: Raw) -> None:
    """A bar a source: its share of successes, the lowest first."""
    rates = (100 * raw.pages.groupby("scraper_source").success.mean()).sort_index()
    assert sorted(info.categories) == list(rates.index)
    same(info.values or (), [rates[name] for name in info.categories])
    assert list(info.values or ()) == sorted(info.values or ())


def totals(rows: Rows, raw: Raw, before: Raw) -> None:
    """Every figure of the cards, for the range and for the period before."""
    for place, one in ((1, raw), (2, before)):
        shown = {str(row[0]): row[place] for row in rows.rows}
        pages = one.pages
        exact = {
            "navigations": len(one.navigations),
            "scrapes": len(one.scrapes),
            "successes": int(pages.success.sum()),
            "errors": int((~pages.success).sum()),
            "items": int(one.scrapes.items_extracted.sum()),
            "active_sources": pages.scraper_source.nunique(),
            "mean_ms": pages.duration_ms.mean() if len(pages) else None,
            "min_ms": pages.duration_ms.min() if len(pages) else None,
            "max_ms": pages.duration_ms.max() if len(pages) else None,
            "success_rate": 100 * pages.success.mean() if len(pages) else None,
        }
        same([shown.pop(name) for name in exact], exact.values())
        for rank in (50, 95, 99):
            near_percentile(shown.pop(f"p{rank}_ms"), pages.duration_ms, rank / 100)  # type: ignore[arg-type]
        assert not shown


def events(rows: Rows, raw: Raw, before: Raw) -> None:
    """Every event of the range, the newest first."""
    shown = [(row[rows.columns.index("id")], row[rows.columns.index("recorded_at")]) for row in rows.rows]
    exact = [(f"p:{id}", at_ms) for id, at_ms in zip(raw.pages.id, raw.pages.created_at, strict=True)]
    exact += [(f"s:{id}", at_ms) for id, at_ms in zip(raw.runs.id, raw.runs.created_at, strict=True)]
    assert sorted(shown) == sorted(exact)
    assert [at_ms for _, at_ms in shown] == sorted((at_ms for _, at_ms in exact), reverse=True)


CHECKS = {
    "overview-throughput": throughput,
    "overview-success": success,
    "overview-totals": totals,
    "overview-events": events,
}
