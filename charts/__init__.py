"""Charts: what to draw (`charts.info`) apart from how to draw it (`ChartAdapter`)."""

from __future__ import annotations

from collections.abc import Callable

from charts.base import ChartAdapter, Drawing
from charts.errors import AdapterNameError


def _plotly() -> ChartAdapter:
    from charts.plotly import PlotlyAdapter

    return PlotlyAdapter()


def _altair() -> ChartAdapter:
    from charts.altair import AltairAdapter

    return AltairAdapter()


# Imported when asked for: who draws with Plotly doesn't load Altair.
_ADAPTERS: dict[str, Callable[[], ChartAdapter]] = {"plotly": _plotly, "altair": _altair}


def make_adapter(name: str) -> ChartAdapter:
    """Return a new adapter.

    Args:
        name: "plotly" or "altair".

    Raises:
        AdapterNameError: When there is no adapter of that name.
    """
    make = _ADAPTERS.get(name)
    if make is None:
        raise AdapterNameError(name, tuple(_ADAPTERS))
    return make()


__all__ = ["ChartAdapter", "Drawing", "make_adapter"]
