"""What the pages of events must show."""

from __future__ import annotations

import numpy as np
import pandas as pd

from charts.info import LineInfo
from pages.page import Rows
from tests.pages.raw import overview
from tests.pages.raw.fleet import Raw
from tests.pages.raw.judge import same


def when(info: LineInfo, raw: Raw, before: Raw) -> None:
    """What failed and what went well, a minute; only what there is."""
    ok = raw.pages.success.astype(float)
    exact = {"failed": 1 - ok, "ok": ok}
    assert [line.name for line in info.lines] == [name for name, values in exact.items() if values.sum()]
    for line in info.lines:
        same(line.y, raw.over(raw.per_minute(exact[line.name])))


def history(rows: Rows, raw: Raw, before: Raw) -> None:
    """The newest events of the newest event's source and URL."""
    shown = [
        tuple(row[rows.columns.index(name)] for name in ("id", "duration_ms", "recorded_at_ms")) for row in rows.rows
    ]
    exact = _at_newest_url(raw)
    ids = [f"p:{id}" for id in exact.id]
    assert shown == list(zip(ids, exact.duration_ms, exact.created_at, strict=True))


def durations(info: LineInfo, raw: Raw, before: Raw) -> None:
    """Each of these events' durations at its moment."""
    exact = _at_newest_url(raw)
    moments = [int(moment) for moment in info.x_ms]
    assert moments == sorted(exact.created_at)
    for line in info.lines:
        of_kind = exact[exact.metric_type == line.name]
        places = [moments.index(moment) for moment in of_kind.created_at]
        same(np.asarray(line.y, dtype=np.float64)[places], of_kind.duration_ms)


def _at_newest_url(raw: Raw) -> pd.DataFrame:
    newest = raw.pages.loc[raw.pages.id.idxmax()]
    same_url = (raw.pages.scraper_source == newest.scraper_source) & (raw.pages.page_url == newest.page_url)
    return raw.pages[same_url].sort_values(["created_at", "id"], ascending=False).head(50)


CHECKS = {
    "events-when": when,
    "events-list": overview.events,
    "event-durations": durations,
    "event-history": history,
}
