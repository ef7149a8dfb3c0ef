"""A table on its way into a file: typed columns, and rows that come in chunks, however many there are."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

Kind: TypeAlias = Literal["text", "time", "whole", "number", "flag"]
KINDS: Final[tuple[Kind, ...]] = ("text", "time", "whole", "number", "flag")
Cells: TypeAlias = Sequence[object]

# What tells a moment from a duration, both in milliseconds: `last_seen_ms` and `recorded_at_ms`, not `mean_ms`.
_MOMENT: Final = re.compile(
    r"(?:^|_)(?:at|seen|since|start|end|started|ended|run|ok|came|expected|moment|time|due|planned)_ms$"
)
_NOT_A_MOMENT: Final = re.compile(r"(?:mean|min|max|p50|p95|p99|duration|interval|late|total)")


@dataclass(frozen=True, slots=True)
class Field:
    """A column of a sheet.

    Args:
        name: Its heading, with its unit; a time's has none.
        kind: `text`, `time` (epoch milliseconds), `whole`, `number` or `flag`.
    """

    name: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table to write.

    Args:
        fields: Its c columns.
        chunks: Called for the rows, each with c cells, some at a time; None is an empty cell.
        long: Whether there may be so many rows that writing them takes long.
    """

    fields: tuple[Field, ...]
    chunks: Callable[[], Iterable[Sequence[Cells]]]
    long: bool = False


def sheet_of(columns: Sequence[str], rows: Sequence[Cells], kinds: Sequence[Kind | None] = ()) -> Sheet:
    """Make a sheet of rows in memory.

    Args:
        columns: c names, with units; `last_seen_ms` and its like are moments.
        rows: Rows of c cells.
        kinds: What a column holds, in the order of the columns; None, or none at all, to tell it from its cells.
    """
    fields = []
    for place, name in enumerate(map(_utf8, columns)):
        kind = kinds[place] if place < len(kinds) else None
        if is_moment(name) and kind != "text":
            fields.append(Field(name.removesuffix("_ms"), "time"))
        else:
            fields.append(Field(name, kind or _kind_of(name, (row[place] for row in rows))))
    return Sheet(tuple(fields), lambda: [rows] if rows else [])


def is_moment(name: str) -> bool:
    """Say whether a column of this name holds moments (epoch milliseconds).

    Args:
        name: A column's name.
    """
    return bool(_MOMENT.search(name)) and not _NOT_A_MOMENT.search(name)


def plain(kind: Kind, values: Iterable[Any]) -> Iterator[Any]:
    """Turn a column's cells into plain Python values of its kind: str, int, float or bool; None for an empty cell.

    Args:
        kind: The column's kind.
        values: Its cells; numpy's numbers are fine, what is no finite number is empty.
    """
    if kind == "text":
        return (None if value is None else _utf8(str(value)) for value in values)
    if kind == "flag":
        return (None if value is None else bool(value) for value in values)
    if kind == "number":
        return (float(value) if _is_finite(value) else None for value in values)
    return (int(value) if _is_finite(value) else None for value in values)


def _is_finite(value: Any) -> bool:
    return value is not None and math.isfinite(value)


def _utf8(text: str) -> str:
    """Return the text without what UTF-8 can't carry (lone surrogates)."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _kind_of(name: str, values: Iterable[object]) -> Kind:
    found: set[Kind] = set()
    for value in values:
        if value is None:
            continue
        if isinstance(value, bool):
            found.add("flag")
        elif isinstance(value, str):
            return "text"
        elif isinstance(value, int) or getattr(getattr(value, "dtype", None), "kind", "") in ("i", "u"):
            found.add("whole")
        else:
            found.add("number")
    if not found:
        return "number" if name.endswith(("_ms", "_percent", "_per_min")) else "text"
    if found == {"whole"} and name.endswith("_ms"):
        return "number"  # a duration is one whether or not it happens to be whole
    return "number" if len(found) > 1 else found.pop()
