"""How often a view may move: what a browser can draw decides."""

from __future__ import annotations

from live.followed import LiveView
from live.tempo import Tempo


def test_a_page_of_many_charts_draws_them_less_often() -> None:
    view, tempo = LiveView("/?a"), Tempo(charts_interval_s=1.0, most_drawings_per_s=5.0)
    pauses_s = []
    for view.drawings in (0, 2, 5, 6, 10):
        pauses_s.append(tempo.charts_pause_s(view))
    assert pauses_s == [1.0, 1.0, 1.0, 1.2, 2.0]
