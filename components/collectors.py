"""The System page's section about collectors: every process that reports, how far behind it is, and what it lost."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from dash import html
from dash.development.base_component import Component

from components.cards import stat_state
from components.content import Content
from components.more import more_line, more_props
from components.numbers import NOTHING, clock, count, duration, size
from components.system_parts import figures, section
from components.tables import Column, Status, one_line, table, table_card, table_props
from components.timerange import DAY_MS
from components.view import View
from db.clocks import SHOWN_FROM_MS
from db.collectors import CollectorLine, totals_of
from db.errors import DatabaseUnavailable

COLLECTOR_COLUMNS: Final = (
    Column("Collector", "clip"),
    Column("State", "status"),
    Column("Host", "name"),
    Column("Process", "number", width_px=92),
    Column("Last report (UTC)", "time"),
    Column("Last flush (UTC)", "time"),
    Column("Behind", "number", width_px=92),
    Column("Recorded", "number", width_px=92),
    Column("Delivered", "number", width_px=92),
    Column("Waiting", "number", width_px=92),
    Column("Dropped", "clip"),
    Column("Spool", "number", width_px=92),
    Column("Clock", "number", width_px=124),
    Column("Version", "name", width_px=104),
    Column("Last error", "clip"),
)
MOST_COLLECTORS: Final = 100

_BEHIND_MS: Final = 10_000

_FIGURES: Final = (
    ("system-collectors-here", "Collectors", "Processes whose collector reports"),
    ("system-collectors-away", "Away", "Reported within a day, and missed three reports since"),
    ("system-collectors-recorded", "Metrics recorded", "Since the processes began"),
    ("system-collectors-delivered", "Metrics delivered", "Since the processes began"),
    ("system-collectors-waiting", "Metrics waiting", "Recorded, and neither delivered nor dropped yet"),
    ("system-collectors-dropped", "Metrics dropped", "Since the processes began"),
    ("system-collectors-spool", "Spools", "What collectors keep on disk until it can be delivered"),
    ("system-collectors-corrected", "Times corrected", "Metrics from clocks that are off by more than a minute"),
)
_WAYS: Final = {"database": "into the database"}


def collector_numbers(read: Callable[[int], Sequence[CollectorLine]], now_ms: int, *, reachable: bool) -> Content:
    """Return the section's live props.

    Args:
        read: Returns the collectors of a moment in epoch ms.
        now_ms: The moment.
        reachable: Whether the database answers; asking one that doesn't would take seconds.
    """
    said = ""
    lines: Sequence[CollectorLine] = ()
    try:
        lines = read(now_ms) if reachable else ()
        if not reachable:
            said = "The database doesn’t answer: what collectors reported is shown when it does."
    except DatabaseUnavailable as exc:
        said = str(exc)
    content: Content = {"system-collectors-note": {"children": said}}
    totals = totals_of(lines, now_ms)
    dropped = sum(totals.dropped.values())
    away = ("◌ not heard of", "warn") if totals.away else ("", "flat")
    lost = (_reasons(totals.dropped), "bad") if dropped else ("", "flat")
    for id, value, (state, mood) in (
        ("system-collectors-here", count(totals.connected), ("", "flat")),
        ("system-collectors-away", count(totals.away), away),
        ("system-collectors-recorded", count(totals.recorded), ("", "flat")),
        ("system-collectors-delivered", count(totals.flushed), ("", "flat")),
        ("system-collectors-waiting", count(totals.pending), ("", "flat")),
        ("system-collectors-dropped", count(dropped), lost),
        ("system-collectors-spool", size(totals.spool_bytes), ("", "flat")),
        ("system-collectors-corrected", count(totals.corrected), ("", "flat")),
    ):
        content.update(stat_state(id, value, state, mood))  # type: ignore[arg-type]
    ordered = sorted(lines, key=lambda line: line.is_away(now_ms))
    content["system-collectors"] = table_props(
        COLLECTOR_COLUMNS,
        [[_cells(line, now_ms)[column.title] for column in COLLECTOR_COLUMNS] for line in ordered[:MOST_COLLECTORS]],
    )
    content["system-collectors-more"] = more_props(
        min(len(lines), MOST_COLLECTORS), len(lines), "collectors", "the export has them all"
    )
    return content


def collector_section(content: Content, view: View) -> Component:
    """Build the section.

    Args:
        content: The page's content with what `collector_numbers` returned.
        view: Goes into the export's links.
    """
    rows = table("system-collectors", COLLECTOR_COLUMNS, content["system-collectors"], min_width_px=1960)
    note = html.P(id="system-collectors-note", className="card-note", **content["system-collectors-note"])
    return section(
        "Collectors",
        figures(_FIGURES, content),
        table_card(
            "Connected processes",
            [rows, more_line("system-collectors-more", content), note],
            subtitle="What each said of itself last; one that is silent for a day is forgotten",
            wide=True,
            export="system-collectors",
            view=view,
        ),
    )


def _cells(line: CollectorLine, now_ms: int) -> dict[str, Any]:
    return {
        "Collector": one_line(f"{line.name or line.collector_id}{_way(line)}"),
        "State": _state(line, now_ms),
        "Host": line.host or NOTHING,
        "Process": str(line.pid),
        "Last report (UTC)": _moment(line.heard_ms, now_ms),
        "Last flush (UTC)": _moment(line.last_flush_ms, now_ms),
        "Behind": duration(line.lag_ms) if line.pending else NOTHING,
        "Recorded": count(line.recorded),
        "Delivered": count(line.flushed),
        "Waiting": count(line.pending),
        "Dropped": _reasons(line.dropped) or "0",
        "Spool": size(line.spool_bytes) if line.spool_bytes else NOTHING,
        "Clock": _clock(line),
        "Version": line.version or NOTHING,
        "Last error": one_line(line.last_error or ""),
    }


def _way(line: CollectorLine) -> str:
    way = _WAYS.get(line.way)
    return "" if way is None else f" ({way})"


def _state(line: CollectorLine, now_ms: int) -> Status:
    if line.is_away(now_ms):
        return Status("warn", "◌ away")
    if line.dropped:
        return Status("bad", "▼ drops")
    return Status("warn", "◷ behind") if line.lag_ms > _BEHIND_MS else Status("ok", "✓ here")


def _reasons(dropped: Mapping[str, int]) -> str:
    pairs = sorted(((reason, number) for reason, number in dropped.items() if number), key=lambda one: -one[1])
    return ", ".join(f"{count(number)} {reason}" for reason, number in pairs)


def _moment(moment_ms: int | None, now_ms: int) -> str:
    if moment_ms is None:
        return NOTHING
    return clock(moment_ms, span_ms=0 if moment_ms // DAY_MS == now_ms // DAY_MS else DAY_MS + 1)


def _clock(line: CollectorLine) -> str:
    if abs(line.skew_ms) <= SHOWN_FROM_MS:
        return "✓"
    return f"{duration(abs(line.skew_ms))} {'slow' if line.skew_ms > 0 else 'fast'}"
