"""What was found is given again until something in its span changes, and takes no more room than it may."""

from __future__ import annotations

import pytest
from sqlalchemy.engine import Engine

from db.finds import Finds
from db.results import Filter
from db.rollups import Rollups
from tests.db.samples import NOON_MS, navigation

MINUTE_MS = 60_000
A, B = Filter(url_contains="a"), Filter(url_contains="b")


@pytest.fixture
def rollups(engine: Engine) -> Rollups:
    return Rollups(engine)


def finds_of(rollups: Rollups, most: int = 100) -> Finds[int, str]:
    return Finds(rollups, list, len, most=most)


def test_what_changed_is_forgotten(rollups: Rollups) -> None:
    finds = finds_of(rollups)
    finds.keep(A, rollups.version, {NOON_MS: "one", NOON_MS + MINUTE_MS: "two"})
    assert finds.of(B) == {}
    assert finds.of(A, [NOON_MS]) == {NOON_MS: "one"}
    assert finds.of(A, range(NOON_MS, NOON_MS + 5 * MINUTE_MS, MINUTE_MS)) == finds.of(A)
    rollups.mark([navigation(at_ms=NOON_MS + 7)])
    assert finds.of(A) == {NOON_MS + MINUTE_MS: "two"}
    finds.forget(A, [NOON_MS + MINUTE_MS, NOON_MS])
    assert finds.of(A) == {}
    assert finds._size == 0


def test_what_changed_while_it_was_looked_for_is_not_kept(rollups: Rollups) -> None:
    finds = finds_of(rollups)
    finds.keep(A, rollups.version, {NOON_MS: "one"})
    version = rollups.version
    rollups.mark([navigation(at_ms=NOON_MS)])
    assert finds.of(A) == {}
    finds.keep(A, version, {NOON_MS: "from before", NOON_MS + MINUTE_MS: "two"})
    assert finds.of(A) == {NOON_MS + MINUTE_MS: "two"}


def test_when_nobody_knows_what_changed_all_of_it_is_forgotten(
    rollups: Rollups, monkeypatch: pytest.MonkeyPatch
) -> None:
    finds = finds_of(rollups)
    finds.keep(A, rollups.version, {NOON_MS: "one"})
    monkeypatch.setattr(rollups, "changes_since", lambda _: (9, None))
    assert finds.of(A) == {}
    finds.keep(A, 0, {NOON_MS: "one"})
    assert (finds._filters, finds._size) == ({}, 0)


def test_room_is_bounded_and_the_filter_that_nobody_asked_for_goes_first(rollups: Rollups) -> None:
    finds = finds_of(rollups, most=10)
    finds.keep(A, rollups.version, {1: "xxxx"})
    finds.keep(B, rollups.version, {1: "xxxx"})
    assert finds.of(A) == {1: "xxxx"}
    finds.keep(A, rollups.version, {2: "yyyy"})
    assert finds.of(B) == {}
    finds.keep(A, rollups.version, {2: "zzzz", 3: "xxxx"})
    assert finds.of(A) == {2: "zzzz", 3: "xxxx"}
    assert finds._size == 8
    finds.keep(B, rollups.version, {1: "more than there is room for"})  # kept all the same: it is asked for now
    assert finds.of(A) == {}
    assert len(finds.of(B)) == 1
