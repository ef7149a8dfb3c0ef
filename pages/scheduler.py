"""The Scheduler tab: which jobs ran, how long, whether they went well, and whether they came as usual."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from dash import html
from dash.development.base_component import Component

from alerts.board import standings
from alerts.habits import LEAST_RUNS, RUNS_LEARNT_FROM, TOLERANCE, Deviation, Learnt, Schedule, learn
from alerts.next_runs import NextRun, next_runs
from alerts.punctuality import Punctuality, punctuality
from alerts.schedules import Planned
from charts.base import ChartAdapter
from charts.info import ChartInfo
from components import scheduler_infos as infos
from components.content import Content
from components.empty import no_data
from components.frame import frame, frame_content, grid
from components.job_tables import (
    JOB_COLUMNS,
    NEXT_COLUMNS,
    RUN_COLUMNS,
    SLIP_COLUMNS,
    job_leads,
    job_row,
    next_rows,
    run_leads,
    run_row,
    slip_row,
)
from components.more import more_line, more_props
from components.nav import tab
from components.run_table import FLEET_RUN_COLUMNS, no_runs, run_props
from components.tables import table, table_card, table_props
from components.timerange import MINUTE_MS
from components.trouble import cut_table_part, has_rows, table_part
from components.view import View
from db.queries import Queries
from db.results import SchedulerStats, TimeRange
from pages.chart import PageChart, cards, drawn, exports
from pages.page import Page, Rows, rows_of, run_export, told_export

_TAB: Final = tab("scheduler")
_MOST_RUNS: Final = 50
_MOST_ROWS: Final = 100
# Bars of a bucket each: more would be lines.
_BAR_BUCKETS: Final = 30

_HOW: Final = (
    "A schedule that was declared (on the Alerts tab, or by the scraper) counts, from the moment on at which it was. "
    "That of other jobs is learnt from what they did: the interval is the median pause between the last "
    f"{RUNS_LEARNT_FROM} starts. A run that begins more than {TOLERANCE:.0%} of it later is late; one that hasn’t "
    f"begun when the next one is due was missed. Nothing is claimed of jobs with fewer than {LEAST_RUNS} runs, of jobs "
    "without a regular interval, nor of pauses that come again and again, such as nights. Runs are recorded when they "
    "end: one that is still going isn’t seen yet."
)


def numbers(queries: Queries, view: View, now_ms: int) -> Content:
    """Return the tables: what comes next, what didn't come as usual, jobs and their latest runs.

    Args:
        queries: Who answers.
        view: Range and filters.
        now_ms: The moment, epoch milliseconds.
    """
    range = view.time_range(now_ms)
    span_ms = range.end_ms - range.start_ms

    def following() -> tuple[dict[str, Any], dict[str, Any]]:
        found = _following(queries, view, range, now_ms)
        rows = next_rows(found[:_MOST_ROWS], _minute(now_ms, range), span_ms)
        return table_props(NEXT_COLUMNS, rows, job_leads(row[0] for row in rows)), more_props(
            _MOST_ROWS, len(found), "jobs"
        )

    def slips() -> tuple[dict[str, Any], dict[str, Any]]:
        found = _punctuality(queries, view, range, now_ms).slips
        rows = [slip_row(slip, span_ms) for slip in found[:_MOST_ROWS]]
        more = more_props(_MOST_ROWS, len(found), "of them", "choose a shorter range, or export all")
        return table_props(SLIP_COLUMNS, rows, job_leads(slip.job for slip in found[:_MOST_ROWS])), more

    def jobs() -> tuple[dict[str, Any], dict[str, Any]]:
        found = queries.scheduler_summary(range, view.filter)
        rows = [job_row(job, span_ms) for job in found[:_MOST_ROWS]]
        leads = job_leads(job.scheduler_name for job in found[:_MOST_ROWS])
        return table_props(JOB_COLUMNS, rows, leads), more_props(_MOST_ROWS, len(found), "jobs")

    def runs() -> dict[str, Any]:
        latest = queries.scheduler_runs(range, view.filter, _MOST_RUNS)
        return table_props(RUN_COLUMNS, [run_row(run, span_ms) for run in latest], run_leads(latest))

    job_table, slip_table = cut_table_part("scheduler-jobs", jobs), cut_table_part("scheduler-slips", slips)
    something = has_rows(job_table) or (has_rows(slip_table) and not view.filter.without_runs)
    something = something or bool(queries.told_runs(range, view.filter, _MOST_RUNS))
    return {
        **frame_content(
            "scheduler",
            view,
            now_ms,
            None if something else no_data(queries, view, "No scheduler run", now_ms=now_ms),
        ),
        **cut_table_part("scheduler-next", following),
        **slip_table,
        **job_table,
        **table_part("scheduler-runs", runs),
    }


def charts(queries: Queries, adapter: ChartAdapter, view: View, now_ms: int) -> Content:
    """Return the charts.

    Args:
        queries: Who answers.
        adapter: Who draws.
        view: Range and filters.
        now_ms: The moment, epoch milliseconds.
    """
    adapter.know_sources(queries.source_names())
    return {
        **drawn(CHARTS, queries, adapter, view, now_ms),
        **cut_table_part("scheduler-told", lambda: _told(queries, view, now_ms)),
    }


def layout(view: View, content: Content) -> Component:
    """Build the page.

    Args:
        view: Range and filters.
        content: What `numbers` and `charts` returned.
    """
    following = table("scheduler-next", NEXT_COLUMNS, content["scheduler-next"], min_width_px=800, leading=content)
    slips = table("scheduler-slips", SLIP_COLUMNS, content["scheduler-slips"], min_width_px=640, leading=content)
    jobs = table("scheduler-jobs", JOB_COLUMNS, content["scheduler-jobs"], min_width_px=980, leading=content)
    runs = table("scheduler-runs", RUN_COLUMNS, content["scheduler-runs"], min_width_px=760, leading=content)
    told = table("scheduler-told", FLEET_RUN_COLUMNS, content["scheduler-told"], min_width_px=1100, leading=content)
    return frame(
        "scheduler",
        _TAB.title,
        view,
        content,
        [
            grid(
                *cards(CHARTS, view, content),
                table_card(
                    "Late, missed and overlapping runs",
                    [slips, more_line("scheduler-slips-more", content)],
                    subtitle="Against each job’s schedule or habits, newest first",
                    export="scheduler-slips",
                    view=view,
                ),
            ),
            table_card(
                "Next runs",
                [following, more_line("scheduler-next-more", content), html.P(_HOW, className="card-note")],
                subtitle="What each job does next: as declared, else if it goes on as it did",
                wide=True,
                export="scheduler-next",
                view=view,
            ),
            table_card(
                "Jobs",
                [jobs, more_line("scheduler-jobs-more", content)],
                subtitle="In this range",
                wide=True,
                export="scheduler-jobs",
                view=view,
            ),
            table_card(
                "Runs of scrapers",
                [told, more_line("scheduler-told-more", content)],
                subtitle=f"As collector.run tells of them while they go on, the last {_MOST_RUNS}, newest first",
                wide=True,
                export="scheduler-told",
                view=view,
            ),
            table_card(
                "Latest runs of jobs",
                runs,
                subtitle=f"The last {_MOST_RUNS}, newest first",
                wide=True,
                export="scheduler-runs",
                view=view,
            ),
        ],
    )


def _minute(now_ms: int, range: TimeRange) -> int:
    """Return the moment that jobs are judged at: what a page says of the clock changes once a minute."""
    return min(now_ms // MINUTE_MS * MINUTE_MS, range.end_ms)


def _learnt(queries: Queries, view: View, range: TimeRange) -> Learnt:
    # Whatever the filter of results: who looks at failures only would see all other runs missing.
    return learn(queries.job_runs(range.end_ms, view.source_filter))


def _plans(queries: Queries, view: View, learnt: Learnt, now_ms: int) -> Mapping[str, Planned]:
    end_ms = view.time_range(now_ms).end_ms
    return {
        job: planned
        for job, planned in standings(queries.alert_board(), now_ms).setting.plans.items()
        if planned.since_ms < end_ms and (not view.sources or job in learnt.runs.names)
    }


def _punctuality(queries: Queries, view: View, range: TimeRange, now_ms: int) -> Punctuality:
    learnt, minute_ms = _learnt(queries, view, range), _minute(now_ms, range)
    return punctuality(learnt, _plans(queries, view, learnt, now_ms), range.start_ms, range.end_ms, minute_ms)


def _following(queries: Queries, view: View, range: TimeRange, now_ms: int) -> tuple[NextRun, ...]:
    learnt = _learnt(queries, view, range)
    return next_runs(learnt, _plans(queries, view, learnt, now_ms), _minute(now_ms, range))


def _told(queries: Queries, view: View, now_ms: int) -> tuple[dict[str, Any], dict[str, Any]]:
    range = view.time_range(now_ms)
    found = queries.told_runs(range, view.filter, _MOST_RUNS)
    props = run_props(found, FLEET_RUN_COLUMNS, span_ms=range.end_ms - range.start_ms)
    return props, {"children": "" if found else no_runs()}


def _timeline(queries: Queries, view: View, now_ms: int) -> ChartInfo:
    range = view.time_range(now_ms)
    learnt = _learnt(queries, view, range)
    return infos.runs_timeline(learnt, _punctuality(queries, view, range, now_ms), range, view.result)


def _results(queries: Queries, view: View, now_ms: int) -> ChartInfo:
    range = view.time_range(now_ms, most_buckets=_BAR_BUCKETS)
    return infos.run_results(queries.scheduler_series(range, view.filter), range)


def _durations(queries: Queries, view: View, now_ms: int) -> ChartInfo:
    range = view.time_range(now_ms, most_buckets=_BAR_BUCKETS)
    return infos.run_durations(queries.scheduler_trend(range, view.filter), range)


def _items(queries: Queries, view: View, now_ms: int) -> ChartInfo:
    return infos.items_by_job(queries.scheduler_summary(view.time_range(now_ms), view.filter))


def _jobs(queries: Queries, view: View, now_ms: int) -> Rows:
    return rows_of(SchedulerStats, queries.scheduler_summary(view.time_range(now_ms), view.filter))


def _slips(queries: Queries, view: View, now_ms: int) -> Rows:
    slips = _punctuality(queries, view, view.time_range(now_ms), now_ms).slips
    columns = tuple(Deviation.__dataclass_fields__)
    return Rows(columns, tuple(tuple(getattr(slip, column) for column in columns) for slip in slips))


def _next(queries: Queries, view: View, now_ms: int) -> Rows:
    learnt = tuple(Schedule.__dataclass_fields__)[1:]
    rows = tuple(
        (
            one.job, one.state, one.due_ms, one.overdue_ms, None if one.plan is None else one.plan.when,
            *(None if one.habit is None else getattr(one.habit, column) for column in learnt),
        )
        for one in _following(queries, view, view.time_range(now_ms), now_ms)
    )  # fmt: skip
    return Rows(("job", "state", "due_ms", "overdue_ms", "declared", *learnt), rows)


CHARTS: Final = (
    PageChart(
        "scheduler-timeline",
        _timeline,
        "UTC; outlines show when a run was due, a block stands for many runs",
        wide=True,
        tall=True,
    ),
    PageChart("scheduler-results", _results, "Runs that went well and runs that failed"),
    PageChart("scheduler-duration", _durations, "Mean duration of the runs that ended"),
    PageChart("scheduler-items", _items, "By all runs of the range"),
)

PAGE: Final = Page(
    name=_TAB.name,
    path=_TAB.path,
    title=_TAB.title,
    icon=_TAB.icon,
    layout=layout,
    numbers=numbers,
    charts=charts,
    leading=("scheduler-next", "scheduler-slips", "scheduler-jobs", "scheduler-told", "scheduler-runs"),
    exports=MappingProxyType(
        {
            **exports(CHARTS),
            "scheduler-next": _next,
            "scheduler-slips": _slips,
            "scheduler-jobs": _jobs,
            "scheduler-told": told_export,
            "scheduler-runs": run_export,
        }
    ),
    period_ms=MINUTE_MS,
)
