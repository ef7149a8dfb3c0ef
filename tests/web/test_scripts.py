"""The chart library's scripts are in every page, and served without what nobody draws with."""

from __future__ import annotations

import gzip
import re

from dash import Dash, html

from charts.plotly import PlotlyAdapter
from charts.plotly.library import with_needed_kinds
from web.scripts import serve_scripts


def test_the_page_names_the_scripts_and_the_library_is_served_short_and_compressed() -> None:
    app = Dash(__name__, compress=True, serve_locally=True)
    app.layout = html.Div()
    serve_scripts(app, PlotlyAdapter())
    client = app.server.test_client()
    page = client.get("/").get_data(as_text=True)
    address = re.search(r'src="(/_dash-component-suites/plotly/[^"]+)"', page)
    assert address
    assert re.search(r'src="/_dash-component-suites/dash/dcc/async-graph[^"]*"', page)
    answer = client.get(address[1], headers={"Accept-Encoding": "gzip"})
    assert answer.status_code == 200
    assert answer.headers["Content-Encoding"] == "gzip"
    assert "max-age" in answer.headers["Cache-Control"]
    script = gzip.decompress(answer.data).decode()
    listed = re.findall(r"\.register\(\[(.*?)\]\)", script)
    assert len(listed) == 1
    assert listed[0].count("()") < 10
    assert with_needed_kinds(script) == script
