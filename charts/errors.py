"""The errors of the charts package: one tree, each saying in one line what to do."""

from __future__ import annotations


class ChartError(Exception):
    """The root of what the charts package raises."""


class InfoError(ChartError, ValueError):
    """A chart info whose parts don't fit together.

    Args:
        info: The info's class name, for instance "LineInfo".
        field: The field that is wrong.
        message: What that field must be.
    """

    def __init__(self, info: str, field: str, message: str) -> None:
        super().__init__(f"{info}.{field}: {message}")
        self.info = info
        self.field = field
        self.message = message


class AdapterNameError(ChartError, ValueError):
    """An adapter name that nobody implements.

    Args:
        name: The name that was asked for.
        known: The names there are.
    """

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        super().__init__(f"no chart adapter is called {name!r}; use one of: {', '.join(known)}")
        self.name = name
        self.known = known


class ExportError(ChartError):
    """A chart that could not be exported.

    Args:
        format: The file format that was asked for.
        message: Why, and what is accepted.
    """

    def __init__(self, format: str, message: str) -> None:
        super().__init__(f"export as {format!r}: {message}")
        self.format = format
        self.message = message
