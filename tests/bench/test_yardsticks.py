"""The yardsticks of the storage bench take the very rows that the program's tables hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.storage.fleet import Fleet

END_MS = 1_795_278_840_000


def test_duckdb_takes_every_column_of_the_fleets_rows(tmp_path: Path) -> None:
    pytest.importorskip("duckdb", reason="only the bench's requirements have it")
    from bench.storage.yardsticks import ask_duckdb

    assert set(ask_duckdb(tmp_path / "rows.duckdb", Fleet(500, END_MS))["ms"]) == {"24h", "7d"}
