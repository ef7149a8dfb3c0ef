"""What to draw, free of any plotting library: frozen chart infos that a page computes and an adapter draws.

Common to all: `title` is a few words, `description` one sentence for screen readers; times are epoch milliseconds
UTC; a value of `None` or NaN is a gap. Units are "ms", "s", "%", "/s", "/min", "B" (bytes), "" (a bare number), or a
word that is written behind the number ("items").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from charts.errors import InfoError

Values: TypeAlias = Sequence[float | int | None] | npt.NDArray[Any]
TimesMs: TypeAlias = Sequence[int] | npt.NDArray[np.int64]

# Colour keys with a meaning of their own; every other key (a source's name, say) gets a stable tone of the palette.
OK_KEY = "status:ok"
FAILED_KEY = "status:failed"
WARNING_KEY = "status:warning"
ACCENT_KEY = "accent"
MUTED_KEY = "muted"


class _ByValue:
    """Equality by fields: arrays by their elements, NaN equal to NaN; so that a test can compare whole infos."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(_same(getattr(self, f.name), getattr(other, f.name)) for f in fields(self))  # type: ignore[arg-type]

    __hash__ = None  # type: ignore[assignment]  # infos may hold arrays


class ChartInfo(_ByValue):
    """The common base of all infos.

    Attributes:
        title: A few words; the card around the chart shows it, and an exported picture.
        description: One sentence that says to a screen reader what is to be seen.
    """

    __slots__ = ()

    title: str
    description: str


def _same(left: Any, right: Any) -> bool:
    if isinstance(left, np.ndarray) or isinstance(right, np.ndarray):
        a, b = np.asarray(left), np.asarray(right)
        return a.shape == b.shape and bool(np.array_equal(a, b, equal_nan=a.dtype.kind == "f" and b.dtype.kind == "f"))
    if isinstance(left, tuple) and isinstance(right, tuple):
        return len(left) == len(right) and all(_same(a, b) for a, b in zip(left, right, strict=True))
    return bool(left == right) or (left is not None and right is not None and left != left and right != right)


def _require(ok: bool, info: object, field: str, message: str) -> None:
    if not ok:
        raise InfoError(type(info).__name__, field, message)


@dataclass(frozen=True, slots=True, eq=False)
class Line(_ByValue):
    """One line of a `LineInfo`.

    Args:
        name: What the legend and the hover text say.
        y: One value per moment of the info's `x_ms`.
        colour_key: What decides the colour; the name when None. The same key has the same colour on every chart.
        dash: Draw dashed and lighter: a ghost (the period before) or a plan.
    """

    name: str
    y: Values
    colour_key: str | None = None
    dash: bool = False


@dataclass(frozen=True, slots=True)
class Band:
    """A span of time that is marked behind the lines, for instance because an alert fired.

    Args:
        start_ms: Its start, epoch milliseconds.
        end_ms: Its end, epoch milliseconds, not before its start.
        label: What it was.
        colour_key: What decides the colour.
    """

    start_ms: int
    end_ms: int
    label: str
    colour_key: str = FAILED_KEY


@dataclass(frozen=True, slots=True, eq=False)
class LineInfo(ChartInfo):
    """Lines over time.

    Args:
        x_ms: n moments, rising (bucket starts).
        lines: Each with n values.
        y_title: What the vertical axis measures, for instance "duration".
        y_unit: Its unit.
        x_range_ms: The (start, end) that the axis shows; what the data spans when None.
        stacked: Stack the lines as areas.
        y_range: The (low, high) that the vertical axis shows, for instance (0, 100) for percent; fitted when None.
        bands: Spans that are marked behind the lines.
        y_log: Whether the vertical axis is logarithmic: for lines that lie decades apart; not with `stacked`.
    """

    title: str
    description: str
    x_ms: TimesMs
    lines: tuple[Line, ...]
    y_title: str = ""
    y_unit: str = ""
    x_range_ms: tuple[int, int] | None = None
    stacked: bool = False
    y_range: tuple[float, float] | None = None
    y_log: bool = False
    bands: tuple[Band, ...] = ()

    def __post_init__(self) -> None:
        for band in self.bands:
            _require(band.end_ms >= band.start_ms, self, "bands", f"{band.label!r} ends before it starts")
        _require(not (self.stacked and self.y_log), self, "y_log", "areas can't be stacked on a logarithmic axis")
        for line in self.lines:
            _require(len(line.y) == len(self.x_ms), self, "lines", f"{line.name!r} needs {len(self.x_ms)} values")


@dataclass(frozen=True, slots=True, eq=False)
class BarInfo(ChartInfo):
    """Bars by category: one series (`values`) or several side by side (`groups`).

    Args:
        categories: c names.
        values: c values, or None when `groups` is given.
        groups: (name, c values) pairs, or None when `values` is given.
        unit: Unit of the values.
        y_range: The (low, high) of the value axis; from zero to the largest when None.
        horizontal: Bars grow to the right; for long names.
        colour_keys: One per category (with `values`) or per group (with `groups`). None: one tone, or by group name.
        stacked: Stack the groups instead of standing them side by side.
        value_title: What the value axis measures.
        ordered: The categories follow each other (buckets of time): where they are many, every n-th is labelled.
    """

    title: str
    description: str
    categories: tuple[str, ...]
    values: Values | None = None
    groups: tuple[tuple[str, Values], ...] | None = None
    unit: str = ""
    y_range: tuple[float, float] | None = None
    horizontal: bool = False
    colour_keys: tuple[str, ...] | None = None
    stacked: bool = False
    value_title: str = ""
    ordered: bool = False

    def __post_init__(self) -> None:
        _require((self.values is None) != (self.groups is None), self, "values", "give either values or groups")
        for name, values in self.series():
            _require(
                len(values) == len(self.categories), self, "values", f"{name!r}: {len(self.categories)} values needed"
            )
        if self.colour_keys is not None:
            needed = len(self.categories) if self.groups is None else len(self.groups)
            _require(len(self.colour_keys) == needed, self, "colour_keys", f"{needed} keys needed")

    def series(self) -> tuple[tuple[str, Values], ...]:
        """Return the groups, or the one series under the value axis' title as if it were a group."""
        if self.groups is not None:
            return self.groups
        return ((self.value_title or self.title, self.values if self.values is not None else ()),)


@dataclass(frozen=True, slots=True, eq=False)
class PieInfo(ChartInfo):
    """Shares of a whole.

    Args:
        labels: k names.
        values: k values, none negative.
        unit: Unit of the values.
        colour_keys: k keys; the labels when None.
    """

    title: str
    description: str
    labels: tuple[str, ...]
    values: Values
    unit: str = ""
    colour_keys: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        _require(len(self.values) == len(self.labels), self, "values", f"{len(self.labels)} values needed")
        if self.colour_keys is not None:
            _require(len(self.colour_keys) == len(self.labels), self, "colour_keys", f"{len(self.labels)} keys needed")


@dataclass(frozen=True, slots=True, eq=False)
class RadarInfo(ChartInfo):
    """Scores on several axes, one closed shape per name.

    Args:
        axes: a names of scores.
        shapes: (name, a scores of 0..100) pairs; coloured by name.
    """

    title: str
    description: str
    axes: tuple[str, ...]
    shapes: tuple[tuple[str, Values], ...]

    def __post_init__(self) -> None:
        for name, values in self.shapes:
            _require(len(values) == len(self.axes), self, "shapes", f"{name!r} needs {len(self.axes)} scores")


@dataclass(frozen=True, slots=True, eq=False)
class HistogramInfo(ChartInfo):
    """How often values fall between edges.

    Args:
        edges: n+1 rising edges in `unit`; unevenly spaced ones are drawn equally wide; empty without data.
        counts: n counts.
        x_title: What was measured.
        unit: Unit of the edges.
        colour_key: What decides the colour.
    """

    title: str
    description: str
    edges: Values
    counts: Values
    x_title: str = ""
    unit: str = ""
    colour_key: str = ACCENT_KEY

    def __post_init__(self) -> None:
        empty = len(self.counts) == 0 and len(self.edges) <= 1
        _require(empty or len(self.edges) == len(self.counts) + 1, self, "edges", "one more than counts needed")


@dataclass(frozen=True, slots=True, eq=False)
class HeatmapInfo(ChartInfo):
    """A value for each cell of a grid.

    Args:
        x_labels: w names, left to right.
        y_labels: h names, top to bottom.
        values: h rows of w values; None or NaN is an empty cell.
        unit: Unit of the values.
        value_title: What a cell measures.
    """

    title: str
    description: str
    x_labels: tuple[str, ...]
    y_labels: tuple[str, ...]
    values: Sequence[Values] | npt.NDArray[Any]
    unit: str = ""
    value_title: str = ""

    def __post_init__(self) -> None:
        _require(len(self.values) == len(self.y_labels), self, "values", f"{len(self.y_labels)} rows needed")
        for row in self.values:
            _require(len(row) == len(self.x_labels), self, "values", f"{len(self.x_labels)} values a row needed")


@dataclass(frozen=True, slots=True)
class Point:
    """One bubble of a `ScatterInfo`.

    Args:
        name: What the hover text calls it.
        x: Horizontal value.
        y: Vertical value.
        size: What the bubble's area shows; None for the smallest.
        colour_key: What decides the colour; the name when None.
    """

    name: str
    x: float
    y: float
    size: float | None = None
    colour_key: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class ScatterInfo(ChartInfo):
    """Named points by two values, a third as the bubble's area.

    Args:
        points: The bubbles.
        x_title, y_title, size_title: What the values measure.
        x_unit, y_unit, size_unit: Their units.
        x_log, y_log: Whether an axis is logarithmic; what isn't above zero then stands at its lower edge.
    """

    title: str
    description: str
    points: tuple[Point, ...]
    x_title: str = ""
    y_title: str = ""
    size_title: str = ""
    x_unit: str = ""
    y_unit: str = ""
    size_unit: str = ""
    x_log: bool = False
    y_log: bool = False


@dataclass(frozen=True, slots=True)
class Span:
    """One bar of a `TimelineInfo`.

    Args:
        lane: The row it lies in.
        start_ms: Its start, epoch milliseconds.
        end_ms: Its end, epoch milliseconds, not before its start.
        label: What the hover text says.
        ok: Whether it succeeded; told by colour and by a mark.
        planned: A plan rather than something that happened: drawn as an outline.
    """

    lane: str
    start_ms: int
    end_ms: int
    label: str
    ok: bool
    planned: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class TimelineInfo(ChartInfo):
    """Spans of time in lanes (a Gantt chart).

    Args:
        bars: The spans; lanes appear top to bottom in the order of their first span.
        x_range_ms: The (start, end) that the axis shows; what the spans cover when None.
        names: What the legend calls spans that are ok, and those that aren't.
    """

    title: str
    description: str
    bars: tuple[Span, ...]
    x_range_ms: tuple[int, int] | None = None
    names: tuple[str, str] = ("ok", "failed")

    def __post_init__(self) -> None:
        for span in self.bars:
            _require(span.end_ms >= span.start_ms, self, "bars", f"{span.label!r} ends before it starts")

    def lanes(self) -> tuple[str, ...]:
        """Return the lane names, top to bottom."""
        return tuple(dict.fromkeys(span.lane for span in self.bars))
