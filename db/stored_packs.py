"""Reading packs out of `scraper_breakdowns`, a bounded number of them a statement."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import TypeAlias

from sqlalchemy import Row, bindparam, select, union_all
from sqlalchemy.engine import Connection
from sqlalchemy.sql.selectable import TypedReturnsRows

from db.models import Breakdown

StoredPack: TypeAlias = Row[str, int, int, bytes]  # what it was counted by, what span it is of, its start, the pack
_MOST_STARTS = 500  # in one statement
_TOGETHER = 64  # packs that are fetched at a time


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
    for _, _, start_ms, pack in packs_of_lengths(connection, (dimension,), {length_ms: starts}):
        yield start_ms, pack


def packs_of_lengths(
    connection: Connection, dimensions: Sequence[str], starts: Mapping[int, Sequence[int]]
) -> Iterator[StoredPack]:
    """Yield the packs of several dimensions and lengths that are there, each with both and where it begins in epoch ms.

    Args:
        connection: An open connection.
        dimensions: What they were counted by.
        starts: By what spans they are of, where these begin, epoch ms.
    """
    for some in _portions(starts):
        asked: dict[str, object] = {"dimensions": dimensions}
        for place, (length_ms, own) in enumerate(some.items()):
            asked |= {f"length_{place}_ms": length_ms, f"starts_{place}": own}
        for rows in connection.execute(_packs(len(some)), asked).partitions(_TOGETHER):
            yield from rows


def starts_of_packs(
    connection: Connection, dimensions: Sequence[str], length_ms: int, runs: Sequence[tuple[int, int]]
) -> Sequence[Row[str, int]]:
    """Return of which dimensions there are packs, each with where it begins in epoch ms.

    Args:
        connection: An open connection.
        dimensions: What they were counted by.
        length_ms: What spans they are of.
        runs: Where the first and the last of those begin that are looked for, epoch ms; at least one such.
    """
    asked: dict[str, object] = {"dimensions": dimensions, "length_ms": length_ms}
    for place, (first_ms, last_ms) in enumerate(runs):
        asked |= {f"first_{place}_ms": first_ms, f"last_{place}_ms": last_ms}
    return connection.execute(_starts(len(runs)), asked).all()


def warm_statements(connection: Connection, most_lengths: int, most_runs: int) -> None:
    """Make the statements ready: that costs the first who asks more than asking does.

    Args:
        connection: An open connection.
        most_lengths: As many lengths are asked for at once.
        most_runs: And as many runs.
    """
    for lengths in range(1, most_lengths + 1):
        for _ in packs_of_lengths(connection, ("",), {length_ms: [0] for length_ms in range(lengths)}):
            pass
    for runs in range(1, most_runs + 1):
        starts_of_packs(connection, ("",), 0, [(0, 0)] * runs)


@cache
def _packs(lengths: int) -> TypedReturnsRows[str, int, int, bytes]:
    """Return the statement, made once: putting one together costs as much as a short one takes."""
    columns = (Breakdown.dimension, Breakdown.length_ms, Breakdown.start_ms, Breakdown.packed)
    of_lengths = [
        select(*columns).where(
            Breakdown.dimension.in_(bindparam("dimensions", expanding=True)),
            Breakdown.length_ms == bindparam(f"length_{place}_ms"),
            Breakdown.start_ms.in_(bindparam(f"starts_{place}", expanding=True)),
        )
        for place in range(lengths)
    ]
    # One after the other: with OR, SQLite would look through everything of these dimensions.
    return of_lengths[0] if lengths == 1 else union_all(*of_lengths)


@cache
def _starts(runs: int) -> TypedReturnsRows[str, int]:
    of_runs = [
        select(Breakdown.dimension, Breakdown.start_ms).where(
            Breakdown.dimension.in_(bindparam("dimensions", expanding=True)),
            Breakdown.length_ms == bindparam("length_ms"),
            Breakdown.start_ms.between(bindparam(f"first_{place}_ms"), bindparam(f"last_{place}_ms")),
        )
        for place in range(runs)
    ]
    return of_runs[0] if runs == 1 else union_all(*of_runs)


def _portions(starts: Mapping[int, Sequence[int]]) -> Iterator[dict[int, Sequence[int]]]:
    """Cut starts into those that one statement asks for."""
    some: dict[int, Sequence[int]] = {}
    left = _MOST_STARTS
    for length_ms, own in starts.items():
        low = 0
        while low < len(own):
            some[length_ms] = own[low : low + left]
            low += left
            left -= len(some[length_ms])
            if not left:
                yield some
                some, left = {}, _MOST_STARTS
    if some:
        yield some
