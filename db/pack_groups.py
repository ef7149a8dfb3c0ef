"""Groups of rows that come from packs some at a time: counted out many together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from db.breakdown import Dimension, Groups, merged
from db.columns import DetailColumns
from db.group_rows import columns_for, groups_of

# Rows that are counted together: a turn of numpy for every few rows would cost more than the counting.
_ROWS_TOGETHER = 50_000


def columns_of_packs(dimension: Dimension) -> tuple[str, ...]:
    """Return the columns that rows of packs (db.filtered_rows) need to be counted out: of errors, these have the kinds.

    Args:
        dimension: What by.
    """
    return tuple({"error": "error_kind"}.get(name, name) for name in columns_for(dimension))


def groups_of_parts(parts: Iterable[DetailColumns], dimension: Dimension) -> Groups:
    """Count rows out that come some at a time.

    Args:
        parts: The rows.
        dimension: What by.
    """
    return merged([groups_of(rows, dimension) for rows in together(parts)])


def together(parts: Iterable[DetailColumns]) -> Iterator[DetailColumns]:
    """Put rows together until they are many.

    Args:
        parts: Rows in order of time, some at a time.
    """
    rows: DetailColumns | None = None
    for part in parts:
        rows = part if rows is None else rows.followed_by(part)
        if len(rows) >= _ROWS_TOGETHER:
            yield rows
            rows = None
    if rows is not None:
        yield rows
