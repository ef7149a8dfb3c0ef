"""What every chart adapter promises, for every kind of chart and for the data that breaks charts."""

from __future__ import annotations

import copy
import html
import json
from dataclasses import replace
from typing import Any

import pytest
from dash.development.base_component import Component

from charts import ChartAdapter, Drawing, make_adapter
from charts.errors import AdapterNameError, ChartError, ExportError
from charts.info import ChartInfo, Line
from charts.picks import Pick
from tests.charts import samples
from tests.charts.samples import START_MS

SETS = {"gallery": samples.gallery, "empty": samples.empty, "single": samples.single, "awkward": samples.awkward}
CASES = [pytest.param(info, id=f"{name}-{key}") for name, make in SETS.items() for key, info in make().items()]
FULL = [pytest.param(info, id=key) for key, info in samples.gallery().items()]


@pytest.fixture(scope="module", params=["plotly", "altair"])
def adapter(request: pytest.FixtureRequest) -> ChartAdapter:
    return make_adapter(request.param)


def as_json(drawing: Drawing) -> str:
    return json.dumps(drawing.spec, allow_nan=False)


@pytest.mark.parametrize("info", CASES)
def test_any_info_is_drawn_as_plain_json_without_nan(adapter: ChartAdapter, info: ChartInfo) -> None:
    drawing = adapter.draw(info)
    assert drawing.info is info
    assert json.loads(as_json(drawing)) == drawing.spec


@pytest.mark.parametrize("info", CASES)
def test_the_same_info_is_drawn_the_same_twice(adapter: ChartAdapter, info: ChartInfo) -> None:
    assert adapter.draw(info).spec == adapter.draw(info).spec


@pytest.mark.parametrize("info", CASES)
def test_a_component_carries_the_id_and_the_live_props(adapter: ChartAdapter, info: ChartInfo) -> None:
    drawing = adapter.draw(info)
    component = adapter.to_component(drawing, id="overview-throughput")
    assert isinstance(component, Component)
    shown = component.to_plotly_json()["props"]
    assert shown["id"] == "overview-throughput"
    for name, value in adapter.props(drawing).items():
        assert shown[name] == value


@pytest.mark.parametrize("info", CASES)
def test_a_cleared_drawing_keeps_its_axes_and_shows_no_data(adapter: ChartAdapter, info: ChartInfo) -> None:
    drawing = adapter.draw(info)
    cleared = adapter.clear(drawing)
    assert set(cleared.spec) == set(drawing.spec)
    assert adapter.clear(cleared).spec == cleared.spec
    assert len(as_json(cleared)) <= len(as_json(drawing))


@pytest.mark.parametrize("info", FULL)
def test_clearing_takes_the_numbers_out(adapter: ChartAdapter, info: ChartInfo) -> None:
    drawing = adapter.draw(info)
    assert len(as_json(adapter.clear(drawing))) < len(as_json(drawing))


@pytest.mark.parametrize("info", FULL)
def test_a_title_set_inside_survives_an_update_and_can_be_taken_out(adapter: ChartAdapter, info: ChartInfo) -> None:
    drawing = adapter.draw(info)
    titled = adapter.set_title(drawing, "Zürich <b>東京</b>")
    updated = adapter.update(titled, replace(info, description="new"))  # type: ignore[type-var]
    assert updated.shown_title == "Zürich <b>東京</b>"
    assert "Zürich" in json.dumps(updated.spec, ensure_ascii=False)
    assert adapter.set_title(titled, None).spec == drawing.spec


@pytest.mark.parametrize("info", FULL)
def test_nothing_changes_a_drawing_in_place(adapter: ChartAdapter, info: ChartInfo) -> None:
    drawing = adapter.draw(info)
    before = copy.deepcopy(drawing.spec)
    adapter.clear(drawing)
    adapter.set_title(drawing, "title")
    adapter.update(drawing, info)
    assert drawing.spec == before


CLICKS = {
    "plotly": [
        ({"points": [{"curveNumber": 0, "pointNumber": 2, "x": 88.1, "y": 2, "customdata": "reuters"}]},
         Pick("reuters", 0)),
        ({"points": [{"curveNumber": 0, "label": "cnbc\u200b", "customdata": ["cnbc"], "value": 3}]}, Pick("cnbc", 0)),
        ({"points": [{"curveNumber": 3, "x": "2026-11-22 12:00:03.5", "y": 4}]}, Pick(None, 3, START_MS + 3_500)),
        ({"points": [{"curveNumber": n, "x": "2026-11-22 12:00", "y": 4} for n in range(4)]},
         Pick(None, None, START_MS)),
    ],
    "altair": [
        ({"picked": {"category": ["reuters"], "g": [0], "vlPoint": {"or": []}}, "span": {}}, Pick("reuters", 0)),
        ({"picked": {"label": ["cnbc"]}}, Pick("cnbc")),
        ({"picked": {"t": [START_MS + 3_500]}, "span": {}}, Pick(None, None, START_MS + 3_500)),
        ({"picked": {"name": ["nasdaq"]}}, Pick("nasdaq")),
    ],
}  # fmt: skip
DRAGS = {
    "plotly": [
        {"xaxis.range[0]": "2026-11-22 12:00", "xaxis.range[1]": "2026-11-22 12:05:00.0001"},
        {"xaxis.range": [START_MS, START_MS + 300_000]},
        {"xaxis.range[0]": "2026-11-22 12:05", "xaxis.range[1]": "2026-11-22 12:00"},
    ],
    "altair": [{"span": {"t": [START_MS, START_MS + 300_000]}}, {"span": {"start": [START_MS + 300_000, START_MS]}}],
}
NOTHINGS: list[Any] = [
    None, [], {}, "x", 7, {"points": []}, {"points": [7]}, {"points": [{}]}, {"points": [{"x": "nowhere"}]},
    {"points": [{"curveNumber": -1, "customdata": {"a": 1}}]}, {"autosize": True}, {"xaxis.autorange": True},
    {"xaxis.range[0]": "a", "xaxis.range[1]": "b"}, {"xaxis.range": [1, 2]}, {"xaxis.range": [START_MS, START_MS]},
    {"picked": {}}, {"picked": [1]}, {"picked": {"t": []}}, {"picked": {"t": ["x"]}}, {"picked": {"category": [1]}},
    {"span": {}}, {"span": {"t": [1]}}, {"span": {"t": [True, False]}}, {"span": {"t": [float("nan"), START_MS]}},
]  # fmt: skip


def test_a_click_tells_name_series_and_moment(adapter: ChartAdapter) -> None:
    for event, pick in CLICKS[adapter.name]:
        assert adapter.picked(event) == pick


def test_a_dragged_span_is_told_in_milliseconds_from_its_start_to_its_end(adapter: ChartAdapter) -> None:
    for event in DRAGS[adapter.name]:
        assert adapter.zoomed(event) == (START_MS, START_MS + 300_000)


@pytest.mark.parametrize("event", NOTHINGS, ids=str)
def test_what_tells_of_no_click_and_no_drag_leads_nowhere(adapter: ChartAdapter, event: Any) -> None:
    assert adapter.picked(event) is None
    assert adapter.zoomed(event) is None


def test_clicks_and_drags_are_told_in_properties_that_no_drawing_sets(adapter: ChartAdapter) -> None:
    drawing = adapter.draw(samples.durations())
    shown = adapter.to_component(drawing, id="x").to_plotly_json()["props"]
    assert not {adapter.pick_prop, adapter.zoom_prop} & {*shown, *adapter.props(drawing)}


def test_an_update_draws_the_new_info(adapter: ChartAdapter) -> None:
    few = samples.many_lines(2)
    more = samples.many_lines(3)
    assert adapter.update(adapter.draw(few), more).spec == adapter.draw(more).spec


def test_each_kind_has_its_own_method(adapter: ChartAdapter) -> None:
    full = samples.gallery()
    for kind in ("line", "bar", "pie", "radar", "histogram", "heatmap", "scatter", "timeline"):
        assert getattr(adapter, kind)(full[kind]).spec == adapter.draw(full[kind]).spec


def test_what_is_no_info_is_refused_in_words(adapter: ChartAdapter) -> None:
    with pytest.raises(ChartError, match=r"charts/info\.py"):
        adapter.draw(Line("no info", ()))  # type: ignore[arg-type]


def test_a_source_has_one_colour_on_every_chart(adapter: ChartAdapter) -> None:
    own = make_adapter(adapter.name)
    own.know_sources(samples.SOURCES)
    tone = own._palette.colour("cnbc")
    full = samples.gallery()
    red, green, blue = (int(tone[at : at + 2], 16) for at in (1, 3, 5))
    for kind in ("bar", "pie", "radar", "scatter", "line-stacked"):
        written = as_json(own.draw(full[kind]))
        assert tone in written or f"rgba({red},{green},{blue}," in written


@pytest.mark.parametrize("key", ["line", "bar", "pie", "radar", "heatmap", "scatter", "timeline"])
def test_awkward_names_are_all_there(adapter: ChartAdapter, key: str) -> None:
    written = html.unescape(json.dumps(adapter.draw(samples.awkward()[key]).spec, ensure_ascii=False))
    for part in ("=cmd|", "<script>", "+1", "@home", "100%", "xxxxxxxx"):
        assert part in written


@pytest.mark.parametrize("format", ["png", "svg", "pdf", "csv"])
def test_drawings_and_infos_export_alike(adapter: ChartAdapter, format: str) -> None:
    info = samples.retries()
    one, other = adapter.export(adapter.draw(info), format), adapter.export(info, format)  # type: ignore[arg-type]
    assert len(one) == len(other) if format == "pdf" else one == other  # a PDF's objects stand in any order


def test_an_exported_drawing_bears_the_title_that_was_set(adapter: ChartAdapter) -> None:
    drawing = adapter.set_title(adapter.draw(samples.retries()), "My own title")
    assert b"My own title" in adapter.export(drawing, "svg")


def test_an_unknown_format_is_refused_in_words(adapter: ChartAdapter) -> None:
    with pytest.raises(ExportError, match="png, svg, pdf, csv"):
        adapter.export(samples.retries(), "xlsx")  # type: ignore[arg-type]


def test_an_unknown_adapter_is_refused_with_the_known_names() -> None:
    with pytest.raises(AdapterNameError, match="plotly, altair"):
        make_adapter("matplotlib")
