"""The grid of all events of a view: the server is asked for the rows that are on the screen, and for no others.

Its id names the list that it shows (the view, its range in milliseconds, and the newest ids when it was opened): so
the server keeps nothing for it, and another list is another grid.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from dash.development.base_component import Component

from components.event_table import event_status
from components.numbers import NOTHING, count, duration, exact_time
from components.tables import one_line, short_url
from components.timerange import LONGEST_MS
from components.view import View
from db.event_list import anchor_of
from db.results import Anchor, Event, EventList, TimeRange

GRID_TYPE: Final = "events-grid"
BLOCK_ROWS: Final = 100
MOST_ROWS: Final = 500  # that one request may ask for
LIBRARY: Final = "dash_ag_grid"
_LAST_ROW: Final = 1 << 31
_COLUMNS: Final[tuple[dict[str, Any], ...]] = (
    {"field": "time", "headerName": "Time (UTC)", "width": 204, "cellClass": "event-time"},
    {"field": "source", "headerName": "Source", "width": 140},
    {"field": "kind", "headerName": "Kind", "width": 120},
    {"field": "status", "headerName": "Status", "width": 124},
    {"field": "duration", "headerName": "Duration", "width": 104, "type": "rightAligned"},
    {"field": "items", "headerName": "Items", "width": 80, "type": "rightAligned"},
    {"field": "page", "headerName": "Page", "minWidth": 200, "flex": 3},
    {"field": "error", "headerName": "Error", "minWidth": 160, "flex": 2, "cellClass": "event-error"},
)


def event_grid(view: View, span: TimeRange, anchor: Anchor) -> Component:
    """Build the grid of the events that were there when the list was opened.

    Args:
        view: Range and filters.
        span: Its range in milliseconds.
        anchor: The newest ids when the list was opened.
    """
    # Imported only here, and its script is sent with the pages that use it alone (see web.libraries).
    import dash_ag_grid as dag

    grid: Component = dag.AgGrid(
        id=grid_id(view, span, anchor),
        columnDefs=list(_COLUMNS),
        # Only time can be sorted by honestly: another order of millions of rows would need an index for each column.
        defaultColDef={"sortable": False, "resizable": True, "suppressMovable": True, "suppressHeaderMenuButton": True},
        rowModelType="infinite",
        dashGridOptions={
            "cacheBlockSize": BLOCK_ROWS,
            "maxBlocksInCache": 50,
            "maxConcurrentDatasourceRequests": 1,  # the component remembers one request
            "blockLoadDebounceMillis": 60,  # none for what flies past while the bar is dragged
            "infiniteInitialRowCount": 1,
            "rowBuffer": 10,
            "rowHeight": 34,
            "headerHeight": 36,
            "rowSelection": {"mode": "singleRow", "checkboxes": False, "enableClickSelection": True},
            "suppressCellFocus": False,
            "animateRows": False,
            "loadThemeGoogleFonts": False,
        },
        className="event-grid",
        style={"height": "100%"},
    )
    return grid


def grid_id(view: View, span: TimeRange, anchor: Anchor) -> dict[str, Any]:
    """Return the id that says which list a grid shows."""
    numbers = (span.start_ms, span.end_ms, span.bucket_ms, *anchor)
    return {"type": GRID_TYPE, "href": view.href(), "list": "-".join(map(str, numbers))}


def list_of(id: Any) -> tuple[View, EventList]:
    """Read which list a grid shows from its id; it comes from a browser, so anything may be in it.

    Args:
        id: Any JSON value.

    Raises:
        ValueError: It is no grid's id.
    """
    if not isinstance(id, dict) or not isinstance(id.get("href"), str) or not isinstance(id.get("list"), str):
        raise ValueError("no grid's id")
    parts = id["list"].split("-")
    if len(parts) != 5 or not all(part.isascii() and part.isdigit() and len(part) < 20 for part in parts):
        raise ValueError("no grid's list")
    start_ms, end_ms, bucket_ms, *anchor = map(int, parts)
    span = TimeRange(start_ms, end_ms, bucket_ms)
    if not (bucket_ms and 0 < end_ms - start_ms <= 2 * LONGEST_MS and span.bucket_count <= 10_000):
        raise ValueError("no range of a grid")
    path, _, search = id["href"].partition("?")
    view = View.parse(path, search)
    return view, EventList(span, view.filter, anchor_of(anchor))


def asked_rows(request: Any) -> tuple[int, int]:
    """Read which rows a grid asks for, within bounds whatever the request says.

    Args:
        request: The grid's `getRowsRequest`, any JSON value.

    Returns:
        (number of the first row, how many; none of a request that isn't understood).
    """
    if not isinstance(request, dict):
        return 0, 0
    first, end = request.get("startRow"), request.get("endRow")
    if type(first) is not int or type(end) is not int:
        return 0, 0
    first = min(max(first, 0), _LAST_ROW)
    return first, min(max(end - first, 0), MOST_ROWS)


def grid_rows(events: Sequence[Event]) -> list[dict[str, str]]:
    """Turn events into rows of the grid.

    Args:
        events: Newest first.
    """
    return [
        {
            "id": event.id,
            "time": exact_time(event.recorded_at_ms),
            "source": event.source,
            "kind": event.kind if event.kind != "scheduler" else "scheduler run",
            "status": event_status(event).text,
            "duration": duration(event.duration_ms),
            "items": NOTHING if event.items is None else count(event.items),
            "page": short_url(event.url or ""),
            "error": one_line(event.error or ""),
        }
        for event in events
    ]
