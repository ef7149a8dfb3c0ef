"""The Plotly adapter: figures as plain dicts, one kind of chart a file, each a pure function of an info and a palette.

Nothing here imports plotly: a `go.Figure` costs many times what the dict costs, and the browser takes either.
"""

from charts.plotly.adapter import PlotlyAdapter

__all__ = ["PlotlyAdapter"]
