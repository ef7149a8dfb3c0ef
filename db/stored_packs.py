"""Reading packs of one dimension out of `scraper_breakdowns`, a bounded number of them a statement."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import select
from sqlalchemy.engine import Connection

from db.models import Breakdown

_MOST_STARTS = 500  # in one statement


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
    for low in range(0, len(starts), _MOST_STARTS):
        packs = connection.execute(
            select(Breakdown.start_ms, Breakdown.packed).where(
                Breakdown.dimension == dimension,
                Breakdown.length_ms == length_ms,
                Breakdown.start_ms.in_(starts[low : low + _MOST_STARTS]),
            )
        )
        for one in packs:
            yield one.start_ms, one.packed
