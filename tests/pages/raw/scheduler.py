"""What the Scheduler tab must show."""

from __future__ import annotations

import pandas as pd

from charts.info import BarInfo, LineInfo, TimelineInfo
from pages.page import Rows
from tests.pages.raw.fleet import Raw
from tests.pages.raw.judge import near_percentile, same


def timeline(info: TimelineInfo, raw: Raw, before: Raw) -> None:
    """A bar a run, from its start to its end."""
    starts = (raw.runs.created_at - raw.runs.execution_duration_ms.round()).clip(lower=raw.range.start_ms)
    exact = zip(raw.runs.scheduler_name, starts.astype(int), raw.runs.created_at, raw.runs.success, strict=True)
    bars = [bar for bar in info.bars if not bar.planned]
    assert sorted((bar.lane, bar.start_ms, bar.end_ms, bar.ok) for bar in bars) == sorted(exact)


def results(info: BarInfo, raw: Raw, before: Raw) -> None:
    """Runs that went well and runs that failed, bucket by bucket."""
    groups = dict(info.groups or ())
    for name, ok in (("ok", True), ("failed", False)):
        counts = raw.runs[raw.runs.success == ok].groupby("bucket").size()
        same(groups[name], counts.reindex(range(raw.range.bucket_count), fill_value=0))


def items(info: BarInfo, raw: Raw, before: Raw) -> None:
    """The items of each job."""
    exact = raw.runs.groupby("scheduler_name").items_processed.sum().to_dict()
    assert dict(zip(info.categories, info.values, strict=True)) == exact  # type: ignore[arg-type]


def following(rows: Rows, raw: Raw, before: Raw) -> None:
    """Every job's last start; its interval where it has five runs: the fleet's jobs run every 48 minutes."""
    for row in rows.rows:
        one = dict(zip(rows.columns, row, strict=True))
        assert one["interval_ms"] is None or abs(float(str(one["interval_ms"])) - 48 * 60_000) < 60_000
    own = raw.runs.assign(start=raw.runs.created_at - raw.runs.execution_duration_ms.round())
    if own.success.all() or not own.success.any():
        return  # narrowed by result: habits are learnt from all runs
    shown = {row[0]: row[rows.columns.index("last_start_ms")] for row in rows.rows}
    for name, starts in own.groupby("scheduler_name").start:
        assert shown[name] == starts.max()


def slips(rows: Rows, raw: Raw, before: Raw) -> None:
    """Every job of the fleet comes every 48 minutes, give or take a minute."""
    assert rows.rows == ()


def durations(info: LineInfo, raw: Raw, before: Raw) -> None:
    """A line a job: the mean duration of its runs, bucket by bucket."""
    assert [line.name for line in info.lines] == sorted(set(raw.runs.scheduler_name))
    for line in info.lines:
        rows = raw.runs[raw.runs.scheduler_name == line.name]
        means = rows.groupby("bucket").execution_duration_ms.mean()
        same(line.y, means.reindex(range(raw.range.bucket_count)))


def jobs(rows: Rows, raw: Raw, before: Raw) -> None:
    """Every job with its figures."""
    shown = {str(row[0]): dict(zip(rows.columns, row, strict=True)) for row in rows.rows}
    groups = raw.runs.groupby("scheduler_name")
    assert set(shown) == set(groups.groups)
    for name, part in groups:
        one, newest = shown[str(name)], part.loc[part.created_at.idxmax()]
        same(
            [
                one["runs"], one["ok"], one["failed"], one["items"], one["mean_ms"], one["max_ms"], one["last_run_ms"],
            ],
            [
                len(part), part.success.sum(), (~part.success).sum(), part.items_processed.sum(),
                part.execution_duration_ms.mean(), part.execution_duration_ms.max(), part.created_at.max(),
            ],
        )  # fmt: skip
        near_percentile(one["p95_ms"], part.execution_duration_ms, 0.95)  # type: ignore[arg-type]
        assert one["last_success"] == newest.success
        failed = part[~part.success]
        said = None if failed.empty else failed.loc[failed.created_at.idxmax()].error
        assert one["last_error"] == (None if pd.isna(said) else said)


def runs(rows: Rows, raw: Raw, before: Raw) -> None:
    """Every run, the newest first."""
    exact = raw.runs.sort_values("created_at", ascending=False)
    assert [row[rows.columns.index("id")] for row in rows.rows] == [f"s:{id}" for id in exact.id]


CHECKS = {
    "scheduler-timeline": timeline,
    "scheduler-results": results,
    "scheduler-duration": durations,
    "scheduler-items": items,
    "scheduler-next": following,
    "scheduler-slips": slips,
    "scheduler-jobs": jobs,
    "scheduler-runs": runs,
}
