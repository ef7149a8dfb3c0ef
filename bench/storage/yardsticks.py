"""The same questions asked of raw detail rows: in SQL on the same database, and of DuckDB over the same rows."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
from sqlalchemy import text

from bench.storage.fleet import MINUTE_MS, Fleet, Rows
from bench.storage.questions import FIRST_MINUTES_BACK, view_before, view_of
from bench.storage.times import milliseconds, say
from db.engine import make_engine
from db.rows import PAGE_COLUMNS, PAGE_TABLE

RANGES = ("24h", "7d")
DUCKDB_THREADS = 2
_WARM_ASKS = 3
_MS = "COALESCE(navigation_duration_ms, scrape_duration_ms)"
_WITHIN = f"FROM {PAGE_TABLE} WHERE created_at >= :start_ms AND created_at < :end_ms"
_QUANTILES = f", quantile_cont({_MS}, [0.5, 0.95, 0.99])"  # DuckDB only: SQL has no quick way
# Which of our questions answers at least as much: the overview brings totals, the totals before, series and sources.
OURS = {
    "totals": "overview", "series_by_source": "source_series", "errors_by_kind": "errors_by_kind",
    "outcomes": "outcomes", "slowest_urls": "slowest_urls",
}  # fmt: skip


def statements(quantiles: str) -> dict[str, str]:
    """Return the yardsticks' SQL, with something more to select for durations."""
    return {
        "totals": (
            "SELECT COUNT(*), SUM(metric_type = 'navigation'), SUM(success), SUM(items_extracted), "
            f"COUNT(DISTINCT scraper_source), AVG({_MS}), MIN({_MS}), MAX({_MS}){quantiles} {_WITHIN}"
        ),
        "series_by_source": (
            "SELECT created_at - created_at % :bucket_ms, scraper_source, COUNT(*), SUM(success), "
            f"SUM(items_extracted), AVG({_MS}){quantiles} {_WITHIN} GROUP BY 1, 2"
        ),
        "errors_by_kind": (
            f"SELECT error, COUNT(*) AS failures, MAX(created_at) {_WITHIN} AND success = 0 "
            "AND metric_type = 'navigation' GROUP BY error ORDER BY failures DESC, error"
        ),
        "outcomes": (
            f"SELECT outcome, success, COUNT(*) {_WITHIN} AND metric_type = 'scrape' GROUP BY outcome, success"
        ),
        "slowest_urls": (
            "SELECT page_url, scraper_source, COUNT(*), SUM(1 - success), AVG(navigation_duration_ms) AS mean_ms, "
            f"MAX(navigation_duration_ms), MAX(created_at) {_WITHIN} AND metric_type = 'navigation' "
            "GROUP BY page_url, scraper_source ORDER BY mean_ms DESC LIMIT 20"
        ),
    }


def parameters(question: str, range_name: str, now_ms: int, end_ms: int | None = None) -> dict[str, int]:
    """Return the same span and buckets that our question has; of a span of the past, if it is to end there."""
    view = view_of(range_name, "no_filter") if end_ms is None else view_before(range_name, "no_filter", end_ms)
    span = view.coarse_range(now_ms) if question == "series_by_source" else view.time_range(now_ms)
    found = {"start_ms": span.start_ms, "end_ms": span.end_ms}
    return found | ({"bucket_ms": span.bucket_ms} if question == "series_by_source" else {})


def ask_sql(url: str, now_ms: int) -> dict[str, dict[str, Any]]:
    """Ask raw rows in SQL, once each, without percentiles: what a program without rollups would do.

    Args:
        url: A filled database.
        now_ms: Where the ranges end.

    Returns:
        By range and question: milliseconds.
    """
    engine = make_engine(url=url, io_timeout_s=600)
    report: dict[str, dict[str, Any]] = {}
    for range_name in RANGES:
        for question, sql in statements("").items():
            values = parameters(question, range_name, now_ms)
            with engine.connect() as connection:
                took_ms = milliseconds(lambda: connection.execute(text(sql), values).all())  # noqa: B023 - called now
            report.setdefault(range_name, {})[question] = round(took_ms, 1)
        say(f"raw rows in SQL asked: {range_name}")
    engine.dispose()
    return report


def ask_duckdb(path: Path, fleet: Fleet) -> dict[str, Any]:
    """Fill DuckDB with the fleet's week and ask it.

    Args:
        path: A new file.
        fleet: Whose rows.

    Returns:
        How it was filled; under `ms`, what `Duck.ask` found.
    """
    duck = Duck(path)
    try:
        return {**duck.fill(fleet), "ms": duck.ask(fleet.end_ms)}
    finally:
        duck.close()  # its threads too: this process is copied later


class Duck:
    """DuckDB over the same detail rows, in a file.

    Args:
        path: A new file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection = duckdb.connect(path, config={"threads": DUCKDB_THREADS})

    def fill(self, fleet: Fleet) -> dict[str, Any]:
        """Write the fleet's week."""
        self._connection.execute(
            f"CREATE TABLE {PAGE_TABLE} (scraper_source VARCHAR, metric_type VARCHAR, page_url VARCHAR, "
            "domain VARCHAR, navigation_duration_ms DOUBLE, retry_count INTEGER, scrape_duration_ms DOUBLE, "
            "items_extracted INTEGER, data_size BIGINT, success INTEGER, error VARCHAR, status_code SMALLINT, "
            "outcome VARCHAR, run_id VARCHAR, labels VARCHAR, fields VARCHAR, created_at BIGINT)"
        )
        took_ms = sum(map(self._copy, _joined(fleet.chunks(), 400_000)))
        self._connection.execute("CHECKPOINT")
        return {
            "threads": DUCKDB_THREADS,
            "rows_per_s": round(fleet.rows / took_ms * 1000),
            "bytes_a_row": round(self._path.stat().st_size / fleet.rows, 1),
        }

    def ask(self, now_ms: int) -> dict[str, dict[str, dict[str, float]]]:
        """Ask with percentiles, exact ones; return ms by range and question.

        Args:
            now_ms: Where the ranges end; `elsewhere` they end where `Asking` has its first span of the past end.

        Returns:
            How long the first ask took and the median of the next ones, of now and of elsewhere.
        """
        counted = f"SELECT COUNT(*), COUNT(created_at) FROM {PAGE_TABLE}"
        rows, dated = self._connection.execute(counted).fetchone() or (0, 0)
        assert rows == dated > 0, "DuckDB doesn't hold the rows: its figures would be of an empty table"
        report: dict[str, dict[str, dict[str, float]]] = {}
        for range_name in RANGES:
            for question, sql in statements(_QUANTILES).items():
                found = report.setdefault(range_name, {})[question] = {}
                for where, end_ms in (("", None), ("elsewhere_", now_ms - FIRST_MINUTES_BACK * MINUTE_MS)):
                    asked = sql
                    for name, value in parameters(question, range_name, now_ms, end_ms).items():
                        asked = asked.replace(f":{name}", str(value))
                    took_ms = [milliseconds(partial(self._ask, asked)) for _ in range(_WARM_ASKS + 1)]
                    found[f"duckdb_{where}first_ms"] = round(took_ms[0], 2)
                    found[f"duckdb_{where}ms"] = round(sorted(took_ms[1:])[_WARM_ASKS // 2], 2)
        say("DuckDB asked")
        return report

    def close(self) -> None:
        """End its threads."""
        self._connection.close()

    def _ask(self, sql: str) -> None:
        self._connection.execute(sql).fetchall()

    def _copy(self, tsv: bytes) -> float:
        path = self._path.with_suffix(".tsv")
        path.write_bytes(tsv)
        into, how = f"{PAGE_TABLE} ({', '.join(PAGE_COLUMNS)})", "DELIMITER '\t', HEADER false, NULLSTR '\\N', QUOTE ''"
        took_ms = milliseconds(lambda: self._connection.execute(f"COPY {into} FROM '{path}' ({how})"))
        path.unlink()
        return took_ms


def compared(
    ours: dict[tuple[str, str, str], dict[str, Any]],
    sql_ms: dict[str, dict[str, Any]],
    duckdb_ms: dict[str, dict[str, Any]],
) -> dict[str, Any]:
    """Return, by range and question, what each took and our part of DuckDB's time (below 1: faster)."""
    report: dict[str, Any] = {}
    for range_name in RANGES:
        for question, our_name in OURS.items():
            found = ours.get((range_name, "no_filter", our_name), {})
            row: dict[str, Any] = {
                "our_question": our_name,
                "sql_without_percentiles_ms": sql_ms[range_name][question],
                **duckdb_ms[range_name][question],
            }
            # Each with DuckDB's warm asks of the same span; first asks with its first too.
            for how, theirs in (
                ("cold", ("", "first_")), ("elsewhere", ("elsewhere_", "elsewhere_first_")), ("tick", ("",)),
                ("warm", ("",)),
            ):  # fmt: skip
                if "p50" in found.get(how, {}):
                    row[f"our_{how}_p50_ms"] = found[how]["p50"]
                    for which in theirs:
                        key = f"{how}_to_duckdb{'_first' if 'first' in which else ''}"
                        row[key] = round(found[how]["p50"] / row[f"duckdb_{which}ms"], 4)
            if "not_measured" in found:
                row["not_measured"] = found["not_measured"]
            report.setdefault(range_name, {})[question] = row
    return report


def _joined(chunks: Iterable[Rows], most_rows: int) -> Iterable[bytes]:
    waiting: list[bytes] = []
    rows = 0
    for chunk in chunks:
        waiting.append(chunk.tsv())
        rows += len(chunk)
        if rows >= most_rows:
            yield b"".join(waiting)
            waiting, rows = [], 0
    if waiting:
        yield b"".join(waiting)
