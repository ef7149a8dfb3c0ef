"""Measure what a live line chart costs the server, beside `go.Figure`, as JSON.

Run it with `python -m bench.figures`. The goal is one millisecond for ten lines of 500 points, JSON included.
"""

import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import orjson
import plotly
import plotly.graph_objects as go

from charts import make_adapter
from charts.info import Line, LineInfo

LINES, POINTS = 10, 500
ROUNDS = 60
START_MS = 1_795_348_800_000


def an_info() -> LineInfo:
    """Return ten lines of 500 durations with a gap in each, every fifth value a whole number."""
    rng = np.random.default_rng(1)
    rows = rng.lognormal(5, 1, (LINES, POINTS))
    rows[:, ::5] = np.rint(rows[:, ::5])
    rows[:, 200:210] = np.nan
    lines = tuple(Line(f"source {number}", row) for number, row in enumerate(rows))
    x_ms = START_MS + 1_000 * np.arange(POINTS, dtype=np.int64)
    return LineInfo("Duration", "Duration by source.", x_ms, lines, "duration", "ms", (START_MS, START_MS + 500_000))


def measure() -> dict[str, Any]:
    """Measure all ways in turns, so that a slow moment of the machine hits each of them.

    Returns:
        By way: median and 95th percentile of one figure with its JSON in ms, and the JSON's size in bytes.
    """
    info = an_info()
    adapters = {name: make_adapter(name) for name in ("plotly", "altair")}
    for adapter in adapters.values():
        adapter.know_sources(line.name for line in info.lines)
    moments = np.asarray(info.x_ms).astype("datetime64[ms]")

    def graph_objects() -> bytes:
        figure = go.Figure([go.Scatter(x=moments, y=line.y, name=line.name, mode="lines") for line in info.lines])
        figure.update_layout(hovermode="x unified", margin={"l": 8, "r": 12, "t": 10, "b": 8})
        return str(figure.to_json()).encode()

    ways: dict[str, Callable[[], bytes]] = {
        "plotly_adapter": lambda: orjson.dumps(adapters["plotly"].line(info).spec),
        "plotly_adapter_without_json": lambda: bytes(bool(adapters["plotly"].line(info))),
        "altair_adapter": lambda: orjson.dumps(adapters["altair"].line(info).spec),
        "go_figure_to_json": graph_objects,
    }
    spent: dict[str, list[float]] = {name: [] for name in ways}
    sizes: dict[str, int] = {}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            begun = time.perf_counter()
            sizes[name] = len(way())
            spent[name].append((time.perf_counter() - begun) * 1000)
    return {
        name: {
            "median_ms": round(statistics.median(times), 3),
            "p95_ms": round(statistics.quantiles(times, n=20)[18], 3),
            "bytes": sizes[name],
        }
        for name, times in spent.items()
    }


def main() -> None:
    """Print the measurement."""
    document = {
        "bench": "figures",
        "machine": {"cpus": os.cpu_count(), "python": platform.python_version(), "plotly": plotly.__version__},
        "lines": LINES,
        "points": POINTS,
        "rounds": ROUNDS,
        "ways": measure(),
    }
    print(json.dumps(document, indent=2))


if __name__ == "__main__":
    main()
