"""kill -9 of the app and of its database under load: what was acknowledged is there, once (the long run is a bench)."""

from __future__ import annotations

import pytest

from bench.kill_drill import drill


@pytest.mark.parametrize(("database", "seed"), [("mariadb", 7), ("sqlite", 8)])
def test_everything_acknowledged_is_there_once_and_rolled_up_after_every_kill(database: str, seed: int) -> None:
    document = drill(database, 3, seed=seed, compare_every=2)
    assert document["failed"] == []
    assert (document["rounds"], document["comparisons"]) == (3, 2)
    assert document["acknowledged_batches"] > 3
    assert document["tracebacks_in_the_apps_log"] == []
