"""Rollup rows of all sources over five minutes, an hour, six hours or a day in one row: cheap to read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy.engine import Connection

from db.cell_sums import merged, minute_cells
from db.cells import DAY_MS, HOUR_MS, QUARTER_MS, SLOT_MS, Cells
from db.cells_pack import names_in, packed, unpacked
from db.columns import DetailColumns, Names
from db.labelled_sources import Bounded, Numbers
from db.models import HourlyRollup, MinuteRollup
from db.stored_cells import read_cells
from db.stored_packs import packs_of_lengths

TIME = "time"  # the dimension that these are kept as, beside the breakdowns
# What a row of a pack stands for: what is longer than an hour is kept by hours.
STEP_MS = {SLOT_MS: SLOT_MS, HOUR_MS: SLOT_MS, QUARTER_MS: HOUR_MS, DAY_MS: HOUR_MS}


def pack_of_detail(rows: DetailColumns, start_ms: int) -> bytes:
    """Return the pack of five minutes.

    Args:
        rows: All of their detail rows, in time order, with sources as db.labelled_sources has them.
        start_ms: Where they begin, epoch ms.
    """
    return packed(minute_cells(rows, SLOT_MS), start_ms, rows.source_names)


def pack_of_packs(length_ms: int, start_ms: int, finer: Sequence[tuple[int, bytes]], most_labels: int) -> bytes:
    """Return the pack of a span that is longer than five minutes.

    Args:
        length_ms: How long it is.
        start_ms: Where it begins, epoch ms.
        finer: (start in epoch ms, pack) of the next shorter spans in it; by time.
        most_labels: As for `db.labelled_sources.by_labels`.
    """
    sources = Bounded((name for _, pack in finer for name in names_in(pack)), most_labels)
    cells = [unpacked(pack, begin, sources) for begin, pack in finer]
    joined = Cells.joined(cells)
    if length_ms > HOUR_MS:
        joined = merged(joined, joined.start_ms // HOUR_MS * HOUR_MS)
    return packed(joined, start_ms, sources.names)


def pack_of_table(connection: Connection, length_ms: int, start_ms: int) -> tuple[int, bytes]:
    """Return the pack of a span from before packs were kept, of which nothing finer is left.

    Args:
        connection: An open connection.
        length_ms: An hour, from its minute rollups, or what is longer, from its hours.
        start_ms: Where it begins, epoch ms.

    Returns:
        (detail rows that it counts, the pack).
    """
    names = Names()
    table = MinuteRollup if length_ms == HOUR_MS else HourlyRollup
    cells = read_cells(connection, table, start_ms, start_ms + length_ms, names)
    step_ms = STEP_MS[length_ms]
    cells = merged(cells, cells.start_ms // step_ms * step_ms)
    return int(cells.navigations.sum() + cells.scrapes.sum()), packed(cells, start_ms, names)


def read_packs(connection: Connection, length_ms: int, starts: Sequence[int], numbers: Numbers) -> dict[int, Cells]:
    """Read some packs of one length.

    Args:
        connection: An open connection.
        length_ms: What they are of.
        starts: Where they begin, epoch ms.
        numbers: Those of sources.

    Returns:
        What `read_packs_of_lengths` returns, by start alone.
    """
    found = read_packs_of_lengths(connection, {length_ms: starts}, numbers)
    return {start_ms: cells for (_, start_ms), cells in found.items()}


def read_packs_of_lengths(
    connection: Connection, starts: Mapping[int, Sequence[int]], numbers: Numbers
) -> dict[tuple[int, int], Cells]:
    """Read some packs.

    Args:
        connection: An open connection.
        starts: By what they are of, where they begin, epoch ms.
        numbers: Those of sources.

    Returns:
        Rows by length and start, in time order, each of STEP_MS of that length; a pack that isn't there is left out.
    """
    packs = packs_of_lengths(connection, (TIME,), starts)
    return {(length_ms, start_ms): unpacked(pack, start_ms, numbers) for _, length_ms, start_ms, pack in packs}
