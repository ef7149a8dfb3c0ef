"""The command line, called as a function: what it does, and the one line when it can't."""

from __future__ import annotations

import datetime as dt
import io

import pytest
from sqlalchemy import text
from sqlalchemy.engine import Engine

from app import main
from db.engine import begin_writing
from db.rollups import Rollups
from db.store import Store
from tests.db.samples import NOON_MS, batch, navigation
from web.progress import Progress

DAY = dt.datetime.fromtimestamp(NOON_MS / 1000, dt.UTC).date()


@pytest.fixture(autouse=True)
def _settings(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCRAPEBOARD_DATABASE_URL", database_url)


def summary(engine: Engine) -> list[tuple[object, ...]]:
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT scraper_source, total_navigations FROM scraper_daily_summary"))
        return [tuple(row) for row in rows]


def test_summarize_writes_the_days_summary(engine: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    Store(engine).send(batch(navigation(), navigation("cnbc")))
    assert main(["summarize", DAY.isoformat()]) == 0
    assert sorted(summary(engine)) == [("cnbc", 1), ("robinhood", 1)]
    assert capsys.readouterr().err == f"{DAY} has a summary of 2 sources\n"


def test_rebuild_rollups_puts_right_what_somebody_changed_by_hand(
    engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    Store(engine).send(batch(navigation(), navigation(at_ms=NOON_MS + 86_400_000)))
    Rollups(engine).run_once()
    with begin_writing(engine) as connection:
        connection.execute(text("UPDATE scraper_metrics_minute SET total_navigations = 9"))
        connection.execute(text("UPDATE scraper_daily_summary SET total_navigations = 9"))
    assert main(["rebuild-rollups", DAY.isoformat(), (DAY + dt.timedelta(days=1)).isoformat()]) == 0
    assert summary(engine) == [("robinhood", 1), ("robinhood", 1)]
    assert "recomputed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["summarise"], "invalid choice: 'summarise'"),
        (["summarize"], "DATE"),
        (["summarize", "yesterday"], "no date like 2026-05-31"),
        (["rebuild-rollups", "2024-05-02", "2024-05-01"], "must not be after"),
    ],
)
def test_a_mistake_is_one_line(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert said in shown.err
    assert len(shown.err.splitlines()) == 1


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_progress_is_drawn_on_a_terminal_only() -> None:
    terminal, file = Terminal(), io.StringIO()
    for stream in (terminal, file):
        with Progress(stream) as progress:
            progress("rows", 5, 10)
            progress("rows", 10, 10)
    assert "5 of 10" in terminal.getvalue()
    assert terminal.getvalue().endswith("10 of 10\x1b[K\n")
    assert file.getvalue() == ""
