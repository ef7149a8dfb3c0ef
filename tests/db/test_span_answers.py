"""An answer about a span of time is given again until something inside the span changes."""

from __future__ import annotations

from sqlalchemy.engine import Engine

from db.cells import HOUR_MS
from db.rollups import Rollups
from db.span_answers import SpanAnswers
from db.store import Store
from tests.db.samples import NOON_MS, batch, navigation


def test_an_answer_is_given_until_something_in_its_span_changes(engine: Engine, store: Store) -> None:
    rollups = Rollups(engine)
    store.subscribe(rollups.mark)
    answers = SpanAnswers[str, int](rollups, most=2)
    for key in ("one", "two"):
        version, known = answers.of(key, NOON_MS, NOON_MS + HOUR_MS)
        assert known is None
        answers.keep(key, version, len(key))
    store.send(batch(navigation("s", NOON_MS + HOUR_MS)))
    assert answers.of("one", NOON_MS, NOON_MS + HOUR_MS)[1] == 3
    store.send(batch(navigation("s", NOON_MS)))
    version, known = answers.of("one", NOON_MS, NOON_MS + HOUR_MS)
    assert known is None
    answers.keep("one", version, 4)
    assert answers.of("one", NOON_MS, NOON_MS + HOUR_MS)[1] == 4


def test_what_was_found_out_longest_ago_is_forgotten(engine: Engine) -> None:
    answers = SpanAnswers[str, int](Rollups(engine), most=2)
    for key in ("one", "two", "one", "three"):
        answers.keep(key, answers.of(key, 0, HOUR_MS)[0], len(key))
    assert [answers.of(key, 0, HOUR_MS)[1] for key in ("one", "two", "three")] == [3, None, 5]


def test_without_rollups_nothing_is_kept() -> None:
    answers = SpanAnswers[str, int](None, most=2)
    answers.keep("one", 0, 1)
    assert answers.of("one", 0, HOUR_MS) == (0, None)
