"""The text of a multi-row INSERT for MySQL/MariaDB: every value escaped by the driver, each distinct one once.

The driver's own way to fill a statement costs more than the server's work for it: three calls for each value. Most
columns repeat a handful of values, so here a column is escaped as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from pymysql.converters import escape_float

Escape: TypeAlias = Callable[[Any], str]

_NONE = frozenset({type(None)})
# Types whose equal values are written alike; 1, 1.0 and True are equal too, so only one of them may be in a column.
_ALIKE = (frozenset({str, type(None)}), frozenset({int, type(None)}), frozenset({bool, type(None)}))
_FLOAT = frozenset({float})
_TEXT = frozenset({str})
# Stands between texts that are escaped in one call; no driver changes it, and texts with it are escaped one by one.
_BETWEEN = "\x1f"


def insert_text(verb: str, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], escape: Escape) -> str:
    """Return one statement that inserts rows.

    Args:
        verb: `INSERT` or `REPLACE`.
        table: A table name of ours.
        columns: Its columns, in the order of the values; one that is None in every row is left to its default, NULL.
        rows: At least one row.
        escape: The driver's own: a value → its literal.

    Returns:
        The statement; it takes no parameters, percent signs in it are what they are.
    """
    names: list[str] = []
    literals: list[Sequence[str]] = []
    for name, values in zip(columns, zip(*rows, strict=True), strict=True):
        types = frozenset(map(type, values))
        if types == _NONE and (names or name != columns[-1]):  # one column there must be
            continue
        names.append(name)
        literals.append(_column(values, types, escape))
    values_text = "),(".join(map(",".join, zip(*literals, strict=True)))
    return f"{verb} INTO {table} ({', '.join(names)}) VALUES ({values_text})"


def _column(values: Sequence[Any], types: frozenset[type], escape: Escape) -> Sequence[str]:
    rest = types - _FLOAT
    if not any(rest <= alike for alike in _ALIKE):
        return [escape(value) for value in values]
    if types == _TEXT:
        literals = _texts(values, escape)
        if literals is not None:
            return literals
    if float not in types:
        known = {value: escape(value) for value in set(values)}
        return [known[value] for value in values]
    # Durations hardly ever repeat.
    known = {value: escape(value) for value in {value for value in values if type(value) is not float}}
    return [escape_float(value) if type(value) is float else known[value] for value in values]


def _texts(values: Sequence[str], escape: Escape) -> list[str] | None:
    """Escape a column of texts in one call; None when it can't be taken apart again."""
    found = escape(_BETWEEN.join(values))[1:-1].split(_BETWEEN)
    return [f"'{text}'" for text in found] if len(found) == len(values) else None
