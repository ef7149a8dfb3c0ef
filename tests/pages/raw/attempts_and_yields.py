"""What the charts of weeks, retries, statuses, outcomes and yields over time must show."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from charts.info import BarInfo, HeatmapInfo, LineInfo
from db.error_kinds import kind_of_error
from tests.pages.raw.fleet import Raw
from tests.pages.raw.judge import near_percentile, same


def week(measure: str) -> Callable[[HeatmapInfo, Raw, Raw], None]:
    """Every hour of the week that anything happened in, the others empty."""

    def check(info: HeatmapInfo, raw: Raw, before: Raw) -> None:
        moments = pd.to_datetime(raw.navigations.created_at, unit="ms", utc=True)
        cells = dict(
            list(raw.navigations.groupby([moments.dt.day_of_week.rename("day"), moments.dt.hour.rename("hour")]))
        )
        for day in range(7):
            for hour in range(24):
                own = cells.get((day, hour))
                shown = float(info.values[day][hour])
                if own is None:
                    assert np.isnan(shown)
                elif measure == "mean":
                    same([shown], [own.duration_ms.mean()])
                elif measure == "volume":
                    same([shown], [len(own)])
                elif measure == "p95":
                    near_percentile(shown, own.duration_ms.to_numpy(), 0.95)
                else:
                    same([shown], [100 * (1 - own.success.mean())])

    return check


def retries(info: BarInfo, raw: Raw, before: Raw) -> None:
    """Navigations by retries, three and more together, by how they ended."""
    told = raw.navigations.retry_count.fillna(0).clip(upper=3)
    for name, values in info.groups or ():
        own = told[raw.navigations.success == (name == "ok")]
        same(values, [(own == number).sum() for number in range(4)])


def statuses(info: BarInfo, raw: Raw, before: Raw) -> None:
    """Navigations by status, the most frequent first."""
    told = raw.navigations.status_code.map(lambda code: "no status" if pd.isna(code) else str(int(code)))
    assert set(info.categories) == set(told)
    for name, values in info.groups or ():
        own = told[raw.navigations.success == (name == "ok")]
        same(values, [(own == category).sum() for category in info.categories])
    sums = np.sum([values for _, values in info.groups or ()], axis=0)
    assert list(sums) == sorted(sums, reverse=True)


def kinds(info: BarInfo, raw: Raw, before: Raw) -> None:
    """The ten most frequent kinds of error."""
    failed = raw.navigations.query("not success")
    exact = failed.error.fillna("").map(kind_of_error).replace("", "(no error text)").value_counts()
    assert list(info.values or ()) == sorted(exact, reverse=True)[:10]
    same(info.values or (), [exact[name] for name in info.categories])


def growth(info: LineInfo, raw: Raw, before: Raw) -> None:
    """Items a minute of each source, as far as buckets are over."""
    items = raw.scrapes.items_extracted
    assert {line.name for line in info.lines} == set(raw.scrapes.scraper_source[items > 0])
    for line in info.lines:
        same(line.y, raw.over(raw.per_minute(items[raw.scrapes.scraper_source == line.name])))


def endings(info: LineInfo, raw: Raw, before: Raw) -> None:
    """Scrapes a minute by how they ended, as far as buckets are over."""
    scrapes = raw.scrapes
    told = scrapes.outcome.where(scrapes.outcome.notna(), scrapes.success.map({True: "ok", False: "failed"}))
    assert {line.name for line in info.lines} == set(told)
    for line in info.lines:
        same(line.y, raw.over(raw.per_minute((told == line.name).astype(float))))


def per_scrape(info: LineInfo, raw: Raw, before: Raw) -> None:
    """Items of a scrape, bucket by bucket and on average."""
    scrapes = raw.scrapes
    same(info.lines[0].y, raw.per_bucket(scrapes.items_extracted, "mean"))
    same(info.lines[1].y, [scrapes.items_extracted.mean()] * raw.range.bucket_count)


def nothing(info: LineInfo, raw: Raw, before: Raw) -> None:
    """The share of scrapes that went well without items."""
    ok = raw.scrapes[raw.scrapes.success]
    same(info.lines[0].y, raw.per_bucket(100.0 * (ok.items_extracted == 0), "mean"))


def size(info: LineInfo, raw: Raw, before: Raw) -> None:
    """The mean size of scrapes that tell it."""
    sized = raw.scrapes[raw.scrapes.data_size.notna()]
    if len(sized):
        same(info.lines[0].y, raw.per_bucket(sized.data_size.astype(float), "mean"))
    else:
        assert info.lines == ()


CHECKS = {
    "navigation-week": week("p95"),
    "navigation-retries": retries,
    "navigation-statuses": statuses,
    "navigation-kinds": kinds,
    "scraping-growth": growth,
    "scraping-endings": endings,
    "scraping-yield": per_scrape,
    "scraping-nothing": nothing,
    "scraping-size": size,
}
