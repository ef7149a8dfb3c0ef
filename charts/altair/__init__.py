"""The Vega-Altair adapter: the same infos as Vega-Lite specs, one kind of chart a file.

Exports of every adapter are drawn from these specs too, because vl-convert needs no browser for them.
"""

from charts.altair.adapter import AltairAdapter

__all__ = ["AltairAdapter"]
