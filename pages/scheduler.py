"""The Scheduler tab: which jobs ran, how long, and whether they went well."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from dash.development.base_component import Component

from charts.base import ChartAdapter
from charts.info import ChartInfo
from components import infos
from components.chart_card import chart_card, chart_content
from components.content import Content
from components.empty import no_data
from components.frame import frame, frame_content, grid
from components.nav import tab
from components.numbers import NOTHING, clock, count, duration
from components.tables import FAILED, OK, Column, Status, one_line, table, table_card, table_props
from components.view import View
from db.queries import Queries
from db.results import SchedulerRunRow, SchedulerStats
from pages.page import Page, Rows, rows_of, run_export

_TAB: Final = tab("scheduler")
_MOST_RUNS: Final = 50

_JOB_COLUMNS: Final = (
    Column("Job", "name"),
    Column("Last result", "status"),
    Column("Last run (UTC)", "time"),
    Column("Runs", "number"),
    Column("Failed", "number"),
    Column("Mean", "number"),
    Column("p95", "number"),
    Column("Items", "number"),
    Column("Usually every", "number", width_px=120),
    Column("Last error", "clip"),
)
_RUN_COLUMNS: Final = (
    Column("Ended (UTC)", "time"),
    Column("Job", "name"),
    Column("Source", "name"),
    Column("Result", "status"),
    Column("Duration", "number"),
    Column("Items", "number"),
    Column("Error", "clip"),
)


def numbers(queries: Queries, view: View, now_ms: int) -> Content:
    """Return the tables of jobs and of their latest runs.

    Args:
        queries: Who answers.
        view: Range and filters.
        now_ms: The moment, epoch milliseconds.
    """
    range = view.time_range(now_ms)
    span_ms = range.end_ms - range.start_ms
    jobs = queries.scheduler_summary(range, view.filter)
    runs = queries.scheduler_runs(range, view.filter, _MOST_RUNS)
    empty = None if jobs else no_data(queries, view, "No scheduler run")
    return {
        **frame_content("scheduler", view, now_ms, empty),
        "scheduler-jobs": table_props(_JOB_COLUMNS, [_job(job, span_ms) for job in jobs]),
        "scheduler-runs": table_props(_RUN_COLUMNS, [_run(run, span_ms) for run in runs]),
    }


def charts(queries: Queries, adapter: ChartAdapter, view: View, now_ms: int) -> Content:
    """Return the charts.

    Args:
        queries: Who answers.
        adapter: Who draws.
        view: Range and filters.
        now_ms: The moment, epoch milliseconds.
    """
    range = view.time_range(now_ms)
    runs = queries.scheduler_runs(range, view.filter)
    adapter.know_sources(queries.source_names())
    return {
        **chart_content("scheduler-timeline", adapter, infos.runs_timeline(runs, range)),
        **chart_content("scheduler-duration", adapter, infos.runs_trend(runs, range)),
    }


def layout(view: View, content: Content) -> Component:
    """Build the page.

    Args:
        view: Range and filters.
        content: What `numbers` and `charts` returned.
    """
    jobs = table("scheduler-jobs", _JOB_COLUMNS, content["scheduler-jobs"], min_width_px=980)
    runs = table("scheduler-runs", _RUN_COLUMNS, content["scheduler-runs"], min_width_px=760)
    return frame(
        "scheduler",
        _TAB.title,
        view,
        content,
        [
            grid(
                chart_card("scheduler-timeline", view, content, subtitle="When jobs ran and how they ended"),
                chart_card("scheduler-duration", view, content, subtitle="Mean duration of the runs that ended"),
            ),
            table_card("Jobs", jobs, subtitle="In this range", wide=True, export="scheduler-jobs", view=view),
            table_card(
                "Latest runs",
                runs,
                subtitle=f"The last {_MOST_RUNS}, newest first",
                wide=True,
                export="scheduler-runs",
                view=view,
            ),
        ],
    )


def _job(job: SchedulerStats, span_ms: int) -> list[str | Status]:
    return [
        job.scheduler_name,
        OK if job.last_success else FAILED,
        clock(job.last_run_ms, span_ms=span_ms),
        count(job.runs),
        count(job.failed),
        duration(job.mean_ms),
        duration(job.p95_ms),
        count(job.items),
        duration(job.typical_interval_ms),
        one_line(job.last_error or ""),
    ]


def _run(run: SchedulerRunRow, span_ms: int) -> list[str | Status]:
    return [
        clock(run.recorded_at_ms, span_ms=span_ms),
        run.scheduler_name,
        run.source or NOTHING,
        OK if run.success else FAILED,
        duration(run.duration_ms),
        count(run.items),
        one_line(run.error or ""),
    ]


def _timeline(queries: Queries, view: View, now_ms: int) -> ChartInfo:
    range = view.time_range(now_ms)
    return infos.runs_timeline(queries.scheduler_runs(range, view.filter), range)


def _durations(queries: Queries, view: View, now_ms: int) -> ChartInfo:
    range = view.time_range(now_ms)
    return infos.runs_trend(queries.scheduler_runs(range, view.filter), range)


def _jobs(queries: Queries, view: View, now_ms: int) -> Rows:
    return rows_of(SchedulerStats, queries.scheduler_summary(view.time_range(now_ms), view.filter))


PAGE: Final = Page(
    name=_TAB.name,
    path=_TAB.path,
    title=_TAB.title,
    icon=_TAB.icon,
    layout=layout,
    numbers=numbers,
    charts=charts,
    exports=MappingProxyType(
        {
            "scheduler-timeline": _timeline,
            "scheduler-duration": _durations,
            "scheduler-jobs": _jobs,
            "scheduler-runs": run_export,
        }
    ),
)
