"""The table of latest events: what happened, where, how it went."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from dash.development.base_component import Component

from components.content import Content
from components.numbers import NOTHING, clock, count, duration
from components.row_leads import lead_text, led
from components.tables import (
    FAILED,
    OK,
    Column,
    Status,
    bare_table,
    one_line,
    scrolling,
    short_url,
    table_below,
    table_props,
)
from components.trouble import table_part
from components.view import event_path
from db.results import Event

EVENT_COLUMNS: Final = (
    Column("Time (UTC)", "time"),
    Column("Source", "name"),
    Column("Kind", width_px=108),
    Column("Status", "status"),
    Column("Duration", "number", width_px=92),
    Column("Items", "number", width_px=68),
    Column("Page", "clip"),
    Column("Error", "clip"),
)
# A row costs the browser a quarter of a millisecond with every event, wherever it stands: 16 fill the card.
NEWEST: Final = 16
_MIN_WIDTH_PX: Final = 860


def event_content(id: str, events: Callable[[], Sequence[Event]], *, span_ms: int) -> Content:
    """Return the live props of the newest rows, all that is to be seen before somebody scrolls: numbers of a page.

    Args:
        id: The table's id.
        events: Returns them, newest first; when it fails, the table says so.
        span_ms: Length of the range that the page shows; decides whether a time needs its day.
    """
    return table_part(f"{id}-newest", lambda: _props(events()[:NEWEST], span_ms))


def older_event_content(id: str, events: Callable[[], Sequence[Event]], *, span_ms: int) -> Content:
    """Return the live props of the rows below, which move once a second as charts do.

    Args:
        id: The table's id.
        events: Returns them, newest first; when it fails, the table says so.
        span_ms: Length of the range that the page shows; decides whether a time needs its day.
    """
    return table_part(f"{id}-older", lambda: _props(events()[NEWEST:], span_ms))


def event_table(id: str, content: Content) -> Component:
    """Build the table.

    Args:
        id: Its id.
        content: The page's content with what `event_content` and `older_event_content` returned.
    """
    newest, older = f"{id}-newest", f"{id}-older"
    return scrolling(
        led(newest, bare_table(newest, EVENT_COLUMNS, content[newest], min_width_px=_MIN_WIDTH_PX), content),
        led(older, table_below(older, EVENT_COLUMNS, content[older], min_width_px=_MIN_WIDTH_PX), content),
        id=id,
    )


def leading(id: str) -> tuple[str, str]:
    """Return the ids of the two tables whose rows lead to their events.

    Args:
        id: The table's id.
    """
    return f"{id}-newest", f"{id}-older"


def event_leads(events: Sequence[Event]) -> list[str]:
    """Return where rows of events lead: each to its event.

    Args:
        events: In the order of the rows.
    """
    return [lead_text(event_path(event.id)) for event in events]


def _props(events: Sequence[Event], span_ms: int) -> dict[str, Any]:
    return table_props(EVENT_COLUMNS, event_rows(events, span_ms=span_ms), event_leads(events))


def event_rows(events: Sequence[Event], *, span_ms: int) -> list[list[str | Status]]:
    """Turn events into rows for `EVENT_COLUMNS`.

    Args:
        events: Newest first.
        span_ms: Length of the range that the page shows; decides whether a time needs its day.
    """
    return [
        [
            clock(event.recorded_at_ms, span_ms=span_ms),
            event.source,
            event.kind if event.kind != "scheduler" else "scheduler run",
            event_status(event),
            duration(event.duration_ms),
            NOTHING if event.items is None else count(event.items),
            short_url(event.url or ""),
            one_line(event.error or ""),
        ]
        for event in events
    ]


def event_status(event: Event) -> Status:
    """Say how an event went: its outcome or HTTP status when that tells more than ok or failed."""
    detail = event.outcome if event.kind == "scrape" and event.outcome not in (None, "ok") else event.status_code
    if event.success:
        retries = event.retry_count or 0
        return OK if not retries else Status("warn", f"✓ ok, {retries} {'retry' if retries == 1 else 'retries'}")
    return Status("bad", f"✕ {detail}") if detail is not None else FAILED
