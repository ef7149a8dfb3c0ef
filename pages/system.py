"""The System page: how the program itself is doing, in this process."""

from __future__ import annotations

import json
from types import MappingProxyType
from typing import Final

from dash import html
from dash.development.base_component import Component

from charts.base import ChartAdapter
from components.cards import stat_state
from components.collectors import collector_numbers, collector_section
from components.content import Content
from components.empty import notice_props
from components.frame import grid
from components.numbers import NOTHING, age, clock, count, date_time, duration, size
from components.system_parts import COUNT_COLUMNS, count_card, count_rows, figures, section
from components.tables import table_props
from components.view import View
from db.collectors import CollectorLine
from db.health import StoreHealth
from db.queries import Queries
from db.vitals import ChannelVitals, Vitals
from pages.page import Page, Rows, rows_of

_CHANNEL: Final = (
    ("system-viewers", "Open pages", "Pages in browsers that follow a view"),
    ("system-connections", "Connections", "Open sockets, of programs and of browsers"),
    ("system-subscriptions", "Subscriptions", "Of programs at /ws/metrics"),
    ("system-views", "Distinct views", "Each is computed once for all who look at it"),
    ("system-frames", "Frames sent", "To all connections, mean of the last ten seconds"),
    ("system-bytes", "Bytes sent", "To all connections, mean of the last ten seconds"),
    ("system-outbox", "Fullest outbox", "The most that ever waited for one slow connection"),
    ("system-send", "Send p99", "99 of 100 batches of the last minute were handed to all within this time"),
)
_DATABASE: Final = (
    ("system-database", "State", "Whether new metrics are stored"),
    ("system-stored", "Metrics stored", "By this process, since it started"),
    ("system-batches", "Batches stored", "By this process, since it started; batches that wait share a transaction"),
    ("system-rejected", "Metrics rejected", "No table can hold them, or retention has deleted their day"),
)


def numbers(queries: Queries, view: View, now_ms: int) -> Content:
    """Return the program's figures.

    Args:
        queries: Who answers.
        view: Its range and filters say nothing here.
        now_ms: The moment, epoch milliseconds.
    """
    vitals = queries.vitals()
    return {
        "system-notice": notice_props(view.problems_at(now_ms)),
        "system-process": {"children": _process(vitals, now_ms)},
        **_channel_numbers(vitals.channel),
        **_database_numbers(vitals.store),
        **collector_numbers(queries.collectors, now_ms, reachable=vitals.store.reachable),
    }


def charts(queries: Queries, adapter: ChartAdapter, view: View, now_ms: int) -> Content:
    """Return nothing: figures and tables say it all.

    Args:
        queries: Who answers.
        adapter: Who draws.
        view: Range and filters.
        now_ms: The moment, epoch milliseconds.
    """
    del queries, adapter, view, now_ms
    return {}


def layout(view: View, content: Content) -> Component:
    """Build the page.

    Args:
        view: Its range and filters say nothing here; it goes into the links of exports.
        content: What `numbers` and `charts` returned.
    """
    heading = [
        html.H1("System", className="page-title"),
        html.P(id="system-process", className="page-subtitle", **content["system-process"]),
    ]
    sections = [
        _channel_section(content),
        section("Database", figures(_DATABASE, content)),
        collector_section(content, view),
    ]
    return html.Div(
        [
            html.Div(heading, className="page-head"),
            html.Div(id="system-notice", role="status", **content["system-notice"]),
            html.Div(sections, id="system-body", className="page-body"),
        ],
        className="page page-system",
    )


def _process(vitals: Vitals, now_ms: int) -> str:
    said = [f"process {vitals.process_id}", f"started {date_time(vitals.started_at_ms)}"]
    if now_ms >= vitals.started_at_ms:
        said.append(f"up {age(now_ms - vitals.started_at_ms)}")
    if vitals.memory_bytes is not None:
        said.append(f"{size(vitals.memory_bytes)} of memory")
    return " · ".join(said)


def _channel_numbers(channel: ChannelVitals) -> Content:
    lag = f"loop late {duration(channel.lag_p99_ms)}" if channel.lag_p99_ms is not None else ""
    content: Content = {}
    for id, value, state in (
        ("system-viewers", count(channel.viewers), ""),
        ("system-connections", count(channel.connections), ""),
        ("system-subscriptions", count(channel.subscriptions), ""),
        ("system-views", count(channel.views), ""),
        ("system-frames", f"{count(channel.frames_per_s)}/s", ""),
        ("system-bytes", f"{size(channel.bytes_per_s)}/s", ""),
        ("system-outbox", size(channel.outbox_high_water_bytes), ""),
        ("system-send", NOTHING if channel.send_p99_ms is None else duration(channel.send_p99_ms), lag),
    ):
        content.update(stat_state(id, value, state, "flat"))
    for id, counts in (
        ("system-dropped", channel.dropped),
        ("system-refused", channel.refused),
        ("system-ended", channel.ended),
    ):
        content[id] = table_props(COUNT_COLUMNS, count_rows(counts, "Nothing"))
    return content


def _database_numbers(store: StoreHealth) -> Content:
    if store.storing:
        state = stat_state("system-database", "Stores", "✓ all is well", "ok")
    elif store.reachable:
        since = f"✕ since {clock(store.unwritable_since_ms)} UTC"
        state = stat_state("system-database", "Full or read-only", since, "bad")
    else:
        since = f"✕ since {clock(store.unreachable_since_ms)} UTC"
        state = stat_state("system-database", "Unreachable", since, "bad")
    again = f"{count(store.duplicates)} came again" if store.duplicates else ""
    return {
        **state,
        **stat_state("system-stored", count(store.rows_stored), "", "flat"),
        **stat_state("system-batches", count(store.batches_stored), again, "flat"),
        **stat_state("system-rejected", count(store.rows_rejected), "", "flat"),
    }


def _channel_section(content: Content) -> Component:
    return section(
        "Channel",
        figures(_CHANNEL, content),
        grid(
            count_card("system-dropped", "Dropped", "Frames that a slow reader didn’t get: it was told", content),
            count_card("system-refused", "Refused", "Asked for, and answered with a refusal", content),
            count_card("system-ended", "Connections ended", "By this side, with the reason it gave", content),
        ),
    )


def _counts(queries: Queries, view: View, now_ms: int) -> Rows:
    del view, now_ms
    channel = queries.vitals().channel
    kinds = (("dropped", channel.dropped), ("refused", channel.refused), ("ended", channel.ended))
    return Rows(
        ("what", "reason", "times"),
        tuple((what, reason, times) for what, counts in kinds for reason, times in sorted(counts.items())),
        ("text", "text", "whole"),
    )


def _collectors(queries: Queries, view: View, now_ms: int) -> Rows:
    del view
    found = rows_of(CollectorLine, queries.collectors(now_ms))
    at = found.columns.index("dropped")  # by reason: a cell holds no mapping
    rows = tuple((*row[:at], json.dumps(row[at]), *row[at + 1 :]) for row in found.rows)
    return Rows(found.columns, rows, (*found.kinds[:at], "text", *found.kinds[at + 1 :]))


PAGE: Final = Page(
    name="system",
    path="/system",
    title="System",
    icon="system",
    layout=layout,
    numbers=numbers,
    charts=charts,
    exports=MappingProxyType({"system-channel": _counts, "system-collectors": _collectors}),
    period_ms=1_000,  # its numbers move though no metric comes
    needs_database=False,
)
