"""What a report says: a page's figures, charts and tables; `charts.report_pdf` prints it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from charts.info import ChartInfo


@dataclass(frozen=True, slots=True)
class Stat:
    """A figure: what it is, its value, and how it moved."""

    label: str
    value: str
    change: str = ""
    mood: str = ""


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart; a wide one takes the width of the paper."""

    info: ChartInfo
    subtitle: str = ""
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table; its mood colours it."""

    text: str
    mood: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table of texts.

    Args:
        title: Its heading.
        subtitle: What its rows are.
        heads: c headings.
        kinds: What the c columns hold; `number` is set flush right, `clip` takes what room there is.
        rows: Rows of c cells; only the first are printed.
        notes: What stands above or below it.
    """

    title: str
    subtitle: str
    heads: tuple[str, ...]
    kinds: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()


Block: TypeAlias = Chart | Table


@dataclass(frozen=True, slots=True)
class Report:
    """What is printed.

    Args:
        title: The page's title.
        range: Its time range, in words and with both ends.
        filters: Its filters, a line each.
        made: When it was made.
        notices: What the reader must know, a sentence each.
        stats: Figures.
        blocks: Charts and tables in the order of the page.
    """

    title: str
    range: str
    made: str
    filters: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    stats: tuple[Stat, ...] = ()
    blocks: tuple[Block, ...] = ()


def texts_of(report: Report) -> Sequence[str]:
    """Return every text that is printed, in order: what tests compare with.

    Args:
        report: What is printed.
    """
    found = [report.title, report.range, *report.filters, *report.notices]
    for stat in report.stats:
        found += [stat.label, stat.value]
    for block in report.blocks:
        found += [block.info.title] if isinstance(block, Chart) else [block.title, *block.heads]
    return found
