"""Plotly figures as plain dicts, one kind of chart a file: each a pure function of a chart info and a palette.

Nothing here imports plotly: a `go.Figure` costs many times what the dict costs, and the browser takes either.
"""
