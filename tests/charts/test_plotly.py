"""The Plotly figures: exact where a page relies on it, and acceptable to Plotly's own validation."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import plotly.graph_objects as go
import pytest

from charts.info import BarInfo, ChartInfo, Line, LineInfo, Point, ScatterInfo
from charts.plotly import PlotlyAdapter
from charts.theme import Palette
from tests.charts import samples

T = samples.START_MS
CASES = [
    pytest.param(info, id=f"{make.__name__}-{key}")
    for make in (samples.gallery, samples.empty, samples.single, samples.awkward)
    for key, info in make().items()
]


def draw(info: ChartInfo) -> dict:
    return PlotlyAdapter(Palette()).draw(info).spec


def line(*values: float | None, **more: object) -> LineInfo:
    x_ms = T + 1000 * np.arange(len(values))
    return LineInfo("t", "d", x_ms, (Line("a", values),), "duration", "ms", **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("info", CASES)
def test_plotly_accepts_every_figure(info: ChartInfo) -> None:
    go.Figure(draw(info))


def test_even_moments_travel_as_start_and_step() -> None:
    (trace,) = draw(line(1, 2, 3))["data"]
    assert (trace["x0"], trace["dx"], "x" in trace) == (T, 1000, False)


def test_uneven_moments_travel_one_by_one() -> None:
    (trace,) = draw(replace(line(1, 2, 3), x_ms=np.array([1, 2, 5])))["data"]
    assert trace["x"] == [1, 2, 5]


def test_a_gap_is_null_and_stays_open() -> None:
    (trace,) = draw(line(1, 2, float("nan"), None, 4, 5))["data"]
    assert trace["y"] == [1, 2, None, None, 4, 5]
    assert trace["connectgaps"] is False


def test_the_area_below_a_line_does_not_span_a_gap() -> None:
    assert "fill" not in draw(line(1, 2, None, 3, 4))["data"][0]
    for whole in (line(1, 2, 3), line(None, 1, 2, 3, None)):
        assert draw(whole)["data"][0]["fill"] == "tozeroy"


def test_a_value_between_two_gaps_gets_a_dot() -> None:
    trace, dots = draw(line(1, 2, None, 7, None, 3, 4))["data"]
    assert (trace["mode"], dots["mode"]) == ("lines", "markers")
    assert (dots["x"], dots["y"]) == ([T + 3000], [7])
    assert trace["legendgroup"] == dots["legendgroup"]
    assert len(draw(line(1, 2, 3))["data"]) == 1


def test_a_long_duration_is_drawn_in_the_unit_that_suits_it() -> None:
    figure = draw(line(150, 1240, 2500))
    assert figure["data"][0]["y"] == [0.15, 1.24, 2.5]
    assert figure["layout"]["yaxis"]["ticksuffix"] == " s"
    assert figure["data"][0]["hovertemplate"].endswith(" s")
    assert draw(line(150, 12))["layout"]["yaxis"]["ticksuffix"] == " ms"


def test_numbers_are_rounded_to_six_digits_so_that_frames_stay_small() -> None:
    assert draw(line(123.456789123, 1 / 3))["data"][0]["y"] == [123.457, 0.333333]


def test_the_axis_shows_the_range_that_was_asked_for() -> None:
    figure = draw(line(1, 2, x_range_ms=(T, T + 900_000)))
    assert figure["layout"]["xaxis"]["range"] == [T, T + 900_000]


def test_zoom_and_legend_survive_updates() -> None:
    assert draw(line(1))["layout"]["uirevision"] == draw(line(2, 3))["layout"]["uirevision"]


def test_the_background_is_clear_and_the_title_is_the_cards() -> None:
    for info in samples.gallery().values():
        layout = draw(info)["layout"]
        assert layout["paper_bgcolor"] == layout["plot_bgcolor"] == "rgba(0,0,0,0)"
        assert "title" not in layout


def test_one_line_needs_no_legend_and_two_do() -> None:
    assert draw(line(1, 2))["layout"]["showlegend"] is False
    assert draw(samples.many_lines(2))["layout"]["showlegend"] is True


def test_a_hover_over_few_lines_tells_all_of_them_and_over_many_one() -> None:
    assert draw(samples.many_lines(12))["layout"]["hovermode"] == "x unified"
    assert draw(samples.many_lines(13))["layout"]["hovermode"] == "closest"


def test_lines_that_share_a_tone_differ_by_their_dashes() -> None:
    traces = draw(samples.many_lines(30))["data"]
    assert len({(trace["line"]["color"], trace["line"]["dash"]) for trace in traces}) == 30


def test_a_ghost_has_its_lines_colour_but_is_dashed_and_lighter() -> None:
    now, before = draw(samples.throughput())["data"]
    assert now["line"]["color"] == before["line"]["color"]
    assert (now["line"]["dash"], before["line"]["dash"], before["opacity"]) == ("solid", "dash", 0.85)


def test_every_bar_is_labelled_with_value_and_unit() -> None:
    (trace,) = draw(samples.success_rates())["data"]
    assert trace["text"] == ["99.2%", "97.5%", "88.1%", "100%", "64.3%", "93.8%", "–", "79.0%"]


def test_a_click_on_a_bar_gives_the_unescaped_name() -> None:
    (trace,) = draw(BarInfo("t", "d", ("<script>", "A&B"), values=(1, 2)))["data"]
    assert trace["customdata"] == ["<script>", "A&B"]


def test_markup_in_names_is_shown_and_not_read() -> None:
    figure = draw(BarInfo("t", "d", ("<b>bold</b>",), values=(1,)))
    assert figure["layout"]["xaxis"]["ticktext"] == ["&lt;b&gt;bold&lt;/b&gt;"]


def test_names_that_are_alike_when_shortened_stay_apart_in_a_pie() -> None:
    names = tuple("x" * 40 + str(number) for number in range(3))
    (trace,) = draw(replace(samples.volume(), labels=names, values=(1, 2, 3)))["data"]
    assert len(set(trace["labels"])) == 3


def test_a_failed_run_is_told_by_pattern_and_mark_as_well_as_by_colour() -> None:
    traces = {trace.get("name"): trace for trace in draw(samples.runs())["data"]}
    assert traces["failed"]["marker"]["pattern"]["shape"] == "/"
    assert any(trace.get("marker", {}).get("symbol") == "x" for trace in traces.values())


def test_uneven_bins_are_drawn_equally_wide_with_their_edges_written() -> None:
    figure = draw(samples.wide_distribution())
    assert set(figure["data"][0]["width"]) == {1}
    assert figure["layout"]["xaxis"]["ticktext"][0] == "1 ms"


def test_an_empty_radar_still_shows_its_axes() -> None:
    (trace,) = draw(samples.empty()["radar"])["data"]
    assert trace["theta"] == ["speed", "success", "yield"]


def test_a_figure_of_ten_lines_and_500_points_stays_below_60_kilobytes() -> None:
    rng = np.random.default_rng(1)
    lines = tuple(Line(f"s{n}", rng.lognormal(5, 1, 500)) for n in range(10))
    info = LineInfo("t", "d", T + 1000 * np.arange(500), lines, "duration", "ms")
    assert len(json.dumps(draw(info), separators=(",", ":"))) < 60_000


def test_what_is_zero_stands_at_the_edge_of_a_logarithmic_axis_and_says_so() -> None:
    figure = PlotlyAdapter().draw(replace(samples.decades(), x_log=True, y_log=True)).spec
    assert figure["layout"]["yaxis"]["type"] == "log"
    low = 10 ** figure["layout"]["yaxis"]["range"][0]
    place = figure["data"][0]["customdata"].index(samples.SOURCES[0])
    assert figure["data"][0]["y"][place] == pytest.approx(low, rel=1e-3)
    assert "items: 0" in figure["data"][0]["hovertext"][place]


def test_many_buckets_are_labelled_eight_times() -> None:
    figure = PlotlyAdapter().draw(samples.by_bucket()).spec
    assert [name for name in figure["layout"]["xaxis"]["ticktext"] if name] == list(samples.by_bucket().categories[::4])
    assert "text" not in figure["data"][0]


def test_names_are_not_written_over_each_other() -> None:
    at = ((100, 100), (101, 101), (10, 10), (11, 90))
    points = tuple(Point(f"shop{place}", x, y, size=9.0 - place) for place, (x, y) in enumerate(at))
    (trace,) = draw(ScatterInfo("t", "d", points, x_title="pages", y_title="items"))["data"]
    assert trace["text"] == ["shop0", "", "shop2", "shop3"]
