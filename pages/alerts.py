"""The Alerts tab: what fires and what is about to, rules, what happened, silences and where notifications go."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Final

from dash import html
from dash.development.base_component import Component

from alerts.board import Standings, standings
from charts.base import ChartAdapter
from charts.info import ChartInfo, TimelineInfo
from components import infos
from components.alert_bands import FAILURES
from components.alert_cards import alert_list
from components.alert_infos import TOLD, fired, timeline
from components.alert_lists import channel_list, dead_list, rule_list, silence_list
from components.alert_rows import (
    HISTORY_COLUMNS,
    alert_values,
    history_row,
    rules_by_id,
)
from components.alert_schedule_form import schedule_list
from components.alert_sections import (
    alert_forms,
    channels_card,
    firing_card,
    rules_card,
    schedules_card,
    silences_card,
)
from components.alert_sparks import spark_style
from components.chart_card import chart_content
from components.content import Content
from components.empty import no_data
from components.frame import frame, frame_content, grid
from components.nav import tab
from components.tables import table, table_card, table_props
from components.timerange import MINUTE_MS
from components.trouble import attempt, table_part
from components.view import View
from db.queries import Queries
from pages.chart import PageChart, cards, drawn, exports
from pages.page import Page, Rows

_TAB: Final = tab("alerts")
_MOST_HAPPENED: Final = 100
_MOST_SPANS: Final = 2_000
_MOST_DEAD: Final = 20
_MOST_EXPORTED: Final = 10_000
_SHOWN_EVENTS: Final = ("firing", "resolved", "no_data", "error", "known", "notified")


def numbers(queries: Queries, view: View, now_ms: int) -> Content:
    """Return how every alert stands, what people decided, and what happened.

    Args:
        queries: Who answers.
        view: Range and filters.
        now_ms: The moment, epoch milliseconds.
    """
    board = queries.alert_board()
    found = standings(board, now_ms)
    nothing = not board.states and queries.last_recorded_ms() is None
    return {
        **frame_content("alerts", view, now_ms, no_data(queries, view, now_ms=now_ms) if nothing else None),
        "alerts-body": {"className": "page-body"},  # rules and channels are set up before the first metric comes
        "alerts-summary": _summary(found),
        "alerts-firing": alert_list(found.firing, now_ms, "Nothing fires."),
        "alerts-pending": alert_list((*found.pending, *found.unknown), now_ms, "Nothing is about to."),
        "alerts-rules": rule_list(found.rules, found.loud),
        "alerts-problems": _problems(found),
        "alerts-silences": silence_list(found.setting.silences, now_ms),
        **table_part("alerts-history", lambda: _happened(queries, view, now_ms, found)),
        **attempt("alerts-channels", lambda: _channels(queries), lambda reason: _unknown("alerts-channels", reason)),
        **attempt("alerts-dead", lambda: _dead(queries, now_ms, found), lambda reason: _unknown("alerts-dead", reason)),
        "alerts-schedules": schedule_list(list(found.setting.plans.values()), now_ms),
    }


def charts(queries: Queries, adapter: ChartAdapter, view: View, now_ms: int) -> Content:
    """Return the charts, and the sparklines of the alerts that are shown.

    Args:
        queries: Who answers.
        adapter: Who draws.
        view: Range and filters.
        now_ms: The moment, epoch milliseconds.
    """
    adapter.know_sources(queries.source_names())

    def sparks() -> Content:
        found = standings(queries.alert_board(), now_ms)
        return {"alerts-sparks": {"style": spark_style(queries, (*found.firing, *found.pending), now_ms)}}

    return {
        **chart_content("alerts-timeline", adapter, lambda: _timeline(queries, view, now_ms)),
        **drawn(CHARTS, queries, adapter, view, now_ms),
        **attempt("alerts-sparks", sparks, lambda _: {"alerts-sparks": {"style": {}}}),
    }


def layout(view: View, content: Content) -> Component:
    """Build the page.

    Args:
        view: Range and filters.
        content: What `numbers` and `charts` returned.
    """
    happened = table("alerts-history", HISTORY_COLUMNS, content["alerts-history"], min_width_px=820)
    (fired_card,) = cards((TIMELINE,), view, content)
    return frame(
        "alerts",
        _TAB.title,
        view,
        content,
        [
            firing_card(view, content),
            rules_card(view, content),
            fired_card,
            table_card(
                "What happened",
                happened,
                subtitle=f"Alerts and notifications of this range, the newest {_MOST_HAPPENED}",
                wide=True,
                export="alerts-history",
                view=view,
            ),
            grid(silences_card(content), channels_card(content)),
            schedules_card(view, content),
            grid(*cards(CHARTS, view, content)),
            alert_forms(),
        ],
    )


def _summary(found: Standings) -> dict[str, str]:
    untold = sum(one.known is None and one.silence is None for one in found.firing)
    parts = [f"{len(found.firing):,} {'alert fires' if len(found.firing) == 1 else 'alerts fire'}"]
    parts += [f"{len(found.firing) - untold:,} of them acknowledged or silenced"] if untold < len(found.firing) else []
    parts += [f"{len(found.pending):,} pending"] if found.pending else []
    if not found.firing:
        mood, mark = ("warn", "▲") if found.pending else ("ok", "✓")
        return {"children": f"{mark} {'; '.join(['No alert fires', *parts[1:]])}.", "className": f"summary {mood}"}
    bad = any(one.rule.severity == "critical" for one in found.firing)
    return {
        "children": f"{'✕' if bad else '▲'} {'; '.join(parts)}.",
        "className": f"summary {'bad' if bad else 'warn'}",
    }


def _problems(found: Standings) -> dict[str, Any]:
    said = [html.Li(text) for text in list(found.problems.values())[:20]]
    return {"children": [html.Strong("These settings can’t be read, and are left out:"), html.Ul(said)] if said else []}


def _unknown(id: str, reason: str) -> Content:
    return {id: {"children": [html.P(f"✕ This couldn’t be computed. {reason}", className="alerts-none")]}}


def _happened(queries: Queries, view: View, now_ms: int, found: Standings) -> dict[str, Any]:
    range, rules = view.time_range(now_ms), rules_by_id(found)
    history = queries.alert_history(range.start_ms, range.end_ms, _SHOWN_EVENTS, _MOST_HAPPENED)
    return table_props(HISTORY_COLUMNS, [history_row(row, rules, range.end_ms - range.start_ms) for row in history])


def _channels(queries: Queries) -> Content:
    newest = {row.channel_id: row for row in reversed(queries.alert_deliveries(("sent", "failed", "dead"), 200))}
    return {"alerts-channels": channel_list(queries.alert_board().channels, newest)}


def _dead(queries: Queries, now_ms: int, found: Standings) -> Content:
    names = {row.id: str(row.document.get("name") or row.id) for row in queries.alert_board().channels}
    dead = queries.alert_deliveries(("dead",), _MOST_DEAD)
    return {"alerts-dead": dead_list(dead, names, rules_by_id(found), now_ms)}


def _timeline(queries: Queries, view: View, now_ms: int) -> TimelineInfo:
    range, found = view.time_range(now_ms), standings(queries.alert_board(), now_ms)
    history = queries.alert_history(range.start_ms, range.end_ms, TOLD, _MOST_SPANS)
    return timeline(fired(history, found.firing), rules_by_id(found), range, now_ms)


def _errors(queries: Queries, view: View, now_ms: int) -> ChartInfo:
    range = view.time_range(now_ms)
    return infos.failures(queries.source_series(range, view.filter), range, now_ms)


def _success(queries: Queries, view: View, now_ms: int) -> ChartInfo:
    return infos.success_rates(queries.sources(view.time_range(now_ms), view.filter))


def _alert_rows(queries: Queries, view: View, now_ms: int) -> Rows:
    del view
    found = standings(queries.alert_board(), now_ms)
    alerts = [(one.rule, one.alert) for one in (*found.firing, *found.pending, *found.unknown)]
    columns = ("state", "severity", "rule", "name", "key", "value", "threshold", "since_ms", "fired_ms", "samples")
    kinds = (*("text",) * 5, "number", "number", None, None, "whole")
    return Rows(columns, tuple(alert_values(alerts)), kinds)  # type: ignore[arg-type]


def _rule_rows(queries: Queries, view: View, now_ms: int) -> Rows:
    del view
    rules = standings(queries.alert_board(), now_ms).setting.rules
    columns = ("id", "name", "enabled", "severity", "what", "by", "window_s", "threshold", "for_s", "repeat_s")
    kinds = ("text", "text", "flag", "text", "text", "text", "number", "number", "number", "number")
    return Rows(columns, tuple(tuple(getattr(rule, name) for name in columns) for rule in rules), kinds)  # type: ignore[arg-type]


def _history_rows(queries: Queries, view: View, now_ms: int) -> Rows:
    range = view.time_range(now_ms)
    history = queries.alert_history(range.start_ms, range.end_ms, (), _MOST_EXPORTED)
    rows = tuple(
        (row.at_ms, row.rule_id, row.key, row.what, row.document.get("value"), row.document.get("threshold"))
        for row in history
    )
    kinds = (None, "text", "text", "text", "number", "number")
    return Rows(("at_ms", "rule", "key", "what", "value", "threshold"), rows, kinds)  # type: ignore[arg-type]


def _schedule_rows(queries: Queries, view: View, now_ms: int) -> Rows:
    del view
    plans = standings(queries.alert_board(), now_ms).setting.plans.values()
    columns = ("job", "cron", "timezone", "interval_s", "grace_s", "longest_s")
    rows = tuple((*(getattr(one.plan, name) for name in columns), one.since_ms) for one in plans)
    return Rows((*columns, "declared_ms"), rows, ("text", "text", "text", "number", "number", "number", None))


TIMELINE: Final = PageChart(
    "alerts-timeline", _timeline, "UTC; by rule and what it is about, the newest first", wide=True
)
CHARTS: Final = (
    PageChart("alerts-errors", _errors, "Failed navigations and scrapes per minute", alerts=FAILURES),
    PageChart("alerts-success", _success, "Navigations and scrapes, lowest first"),
)

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
            **exports((TIMELINE, *CHARTS)),
            "alerts-firing": _alert_rows,
            "alerts-rules": _rule_rows,
            "alerts-history": _history_rows,
            "alerts-schedules": _schedule_rows,
        }
    ),
    period_ms=MINUTE_MS,
)
