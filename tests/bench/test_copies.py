"""Copies of a process: what happens in one is measured, and stays there."""

from __future__ import annotations

import pytest

from bench.storage.copies import timed_in_copy


def test_what_is_changed_in_a_copy_stays_in_the_copy() -> None:
    kept: list[int] = []
    timed = timed_in_copy(lambda: kept.append(1), [lambda: lambda: kept.append(2)] * 3)
    assert timed is not None
    assert [took_ms > 0 for took_ms, _ in timed] == [True, True, True]
    assert kept == []


def test_one_that_takes_too_long_is_the_last_one() -> None:
    timed = timed_in_copy(lambda: None, [lambda: lambda: None] * 3, slow_ms=-1.0)
    assert timed is not None
    assert len(timed) == 1


def test_what_fails_in_a_copy_is_no_measurement_and_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    assert timed_in_copy(lambda: None, [lambda: lambda: 1 // 0]) is None
    assert "ZeroDivisionError" in capfd.readouterr().err
