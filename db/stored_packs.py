"""Reading packs out of `scraper_breakdowns`, a bounded number of them a statement."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import Row, bindparam, select
from sqlalchemy.engine import Connection

from db.models import Breakdown

_MOST_STARTS = 500  # in one statement
_TOGETHER = 64  # packs that are fetched at a time

# Made once: putting a statement together costs as much as a short one takes.
_PACKS = select(Breakdown.dimension, Breakdown.start_ms, Breakdown.packed).where(
    Breakdown.dimension.in_(bindparam("dimensions", expanding=True)),
    Breakdown.length_ms == bindparam("length_ms"),
    Breakdown.start_ms.in_(bindparam("starts", expanding=True)),
)


def stored_packs(
    connection: Connection, dimension: str, length_ms: int, starts: Sequence[int]
) -> Iterator[tuple[int, bytes]]:
    """Yield the packs that are there, each with where it begins in epoch ms.

    Args:
        connection: An open connection.
        dimension: What they were counted by.
        length_ms: What spans they are of.
        starts: Where these begin, epoch ms.
    """
    for _, start_ms, pack in packs_of_dimensions(connection, (dimension,), length_ms, starts):
        yield start_ms, pack


def packs_of_dimensions(
    connection: Connection, dimensions: Sequence[str], length_ms: int, starts: Sequence[int]
) -> Iterator[Row[str, int, bytes]]:
    """Yield the packs of several dimensions that are there, each with its own and where it begins in epoch ms.

    Args:
        connection: An open connection.
        dimensions: What they were counted by.
        length_ms: What spans they are of.
        starts: Where these begin, epoch ms.
    """
    for low in range(0, len(starts), _MOST_STARTS):
        asked = {"dimensions": dimensions, "length_ms": length_ms, "starts": starts[low : low + _MOST_STARTS]}
        for some in connection.execute(_PACKS, asked).partitions(_TOGETHER):
            yield from some
