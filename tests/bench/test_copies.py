"""Copies of a process: what happens in one is measured, and stays there."""

from __future__ import annotations

import pytest

from bench.storage.copies import timed_in_copy


def test_what_is_changed_in_a_copy_stays_in_the_copy() -> None:
    kept: list[int] = []
    timed = timed_in_copy(lambda: kept.append(1), lambda: lambda: kept.append(2))
    assert timed is not None
    assert timed[0] > 0
    assert kept == []


def test_what_fails_in_a_copy_is_no_measurement_and_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    assert timed_in_copy(lambda: None, lambda: lambda: 1 // 0) is None
    assert "ZeroDivisionError" in capfd.readouterr().err
