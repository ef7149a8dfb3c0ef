"""What must be shown of items' fields, of usable success and of runs."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd

from charts.info import BarInfo, LineInfo
from pages.page import Rows
from tests.pages.raw.fleet import NOW_MS, Raw
from tests.pages.raw.judge import same


def named(raw: Raw) -> pd.DataFrame:
    """The scrapes that tell of fields, with `counts`."""
    scrapes = raw.scrapes[raw.scrapes.fields.notna()]
    return scrapes.assign(counts=scrapes.fields.map(json.loads))


def had(scrapes: pd.DataFrame, field: str) -> int:
    """The items that had a field."""
    return sum(counts.get(field, 0) for counts in scrapes.counts)


def coverage(scrapes: pd.DataFrame) -> dict[tuple[str, str], tuple[int, int]]:
    """Items, and those that had the field, by source and field."""
    found: dict[tuple[str, str], tuple[int, int]] = {}
    for source, part in scrapes.groupby("scraper_source"):
        items = int(part.items_extracted.sum())
        for field in sorted({name for counts in part.counts for name in counts}):
            found[str(source), field] = items, had(part, field)
    return found


def fields(rows: Rows, raw: Raw, before: Raw) -> None:
    """Every field of every source with its coverage now and before, what fell most first."""
    now, then = coverage(named(raw)), coverage(named(before))
    then_items = named(before).groupby("scraper_source").items_extracted.sum()
    items = named(raw).groupby("scraper_source").items_extracted.sum()
    shown = [dict(zip(rows.columns, row, strict=True)) for row in rows.rows]
    assert {(one["source"], one["field"]) for one in shown} == {key for key in {*now, *then} if items.get(key[0], 0)}
    falls = []
    for one in shown:
        key = str(one["source"]), str(one["field"])
        assert (one["items"], one["had"]) == (items[key[0]], now.get(key, (0, 0))[1])
        assert (one["items_before"], one["had_before"]) == (then_items.get(key[0], 0), then.get(key, (0, 0))[1])
        same([one["coverage_percent"]], [100 * one["had"] / one["items"]])  # type: ignore[operator]
        usual = 100 * one["had_before"] / one["items_before"] if one["items_before"] else None  # type: ignore[operator]
        same([one["coverage_before_percent"]], [usual])
        falls.append(0.0 if usual is None else usual - one["coverage_percent"])  # type: ignore[operator]
    assert falls == sorted(falls, reverse=True)


def lines(info: LineInfo, raw: Raw, before: Raw) -> None:
    """The coverage of a field in each bucket is that of its scrapes."""
    del before
    starts = [int(start) for start in info.x_ms]
    scrapes = named(raw)
    for line in info.lines:
        field, _, source = line.name.partition(" · ")
        own = scrapes[scrapes.scraper_source == source] if source else scrapes
        for value, low, high in zip(line.y, starts, [*starts[1:], raw.range.end_ms], strict=True):
            part = own[own.created_at.between(low, high - 1)]
            items = part.items_extracted.sum()
            same([value], [100 * had(part, field) / items if items else np.nan])
    if raw.pages.success.any() and raw.range.end_ms <= NOW_MS + 3_600_000:
        assert len(info.lines) > 1


def usable(info: BarInfo, raw: Raw, before: Raw) -> None:
    """The share of each source's scrapes that ended ok, beside that which was recorded as a success."""
    del before
    groups = dict(info.groups or ())
    exact = raw.scrapes.groupby("scraper_source")
    assert set(info.categories) == set(exact.groups)
    ended_ok = raw.scrapes.assign(ok=raw.scrapes.success & (raw.scrapes.outcome == "ok")).groupby("scraper_source").ok
    same(groups["usable"], [100 * ended_ok.mean()[name] for name in info.categories])
    same(groups["recorded as a success"], [100 * exact.success.mean()[name] for name in info.categories])
    assert list(groups["usable"]) == sorted(groups["usable"])


def fleet_runs(rows: Rows, raw: Raw, before: Raw) -> None:
    """Every run that was told of, those that were heard of last first."""
    del before
    exact = raw.told.sort_values(["recorded_at", "run_id"], ascending=[False, True])
    shown = [dict(zip(rows.columns, row, strict=True)) for row in rows.rows]
    assert [one["run_id"] for one in shown] == list(exact.run_id)
    for one, (_, run) in zip(shown, exact.iterrows(), strict=True):
        assert (one["name"], one["state"], one["started_ms"], one["ended_ms"], one["items"]) == (
            run["name"], run["state"], run.started_at, run.recorded_at, run.items_extracted,
        )  # fmt: skip
        assert one["expected_items"] == (None if pd.isna(run.expected_items) else run.expected_items)
        assert one["source"] == (None if pd.isna(run.scraper_source) else run.scraper_source)


def own_runs(rows: Rows, raw: Raw, before: Raw) -> None:
    """Every run of the scraper with what its metrics add up to, whatever the result that the page is narrowed to."""
    del before
    shown = {str(row[0]): dict(zip(rows.columns, row, strict=True)) for row in rows.rows}
    if not raw.pages.success.any():
        assert any(one["successes"] for one in shown.values())
        return
    groups = dict(list(raw.pages.groupby("run_id")))
    told = {str(run.run_id): run for _, run in raw.told.iterrows()}
    assert set(shown) == {*groups, *told}
    for run_id, part in groups.items():
        kinds = part.metric_type.value_counts()
        one = shown[str(run_id)]
        assert (one["navigations"], one["scrapes"], one["successes"]) == (
            kinds.get("navigation", 0), kinds.get("scrape", 0), part.success.sum(),
        )  # fmt: skip
        items = int(part.items_extracted.fillna(0).sum())
        if run_id not in told:
            begun = (part.created_at - part.duration_ms.round()).min()
            assert (one["started_ms"], one["ended_ms"], one["items"]) == (int(begun), part.created_at.max(), items)
            assert one["state"] is one["name"] is None
        else:
            run = told[str(run_id)]
            assert one["state"] == run["state"]
            assert one["items"] == max(items, run.items_extracted)
    ended = [one["ended_ms"] for one in shown.values()]
    assert ended == sorted(ended, reverse=True)  # type: ignore[type-var]


CHECKS = {
    "scraping-fields": fields,
    "scraping-coverage": lines,
    "scraping-usable": usable,
    "scraper-fields": fields,
    "scrapers-runs": fleet_runs,
    "scheduler-told": fleet_runs,
    "scraper-runs": own_runs,
}
