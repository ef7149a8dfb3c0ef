"""Fixtures of the database tests."""

from __future__ import annotations

import pytest
from sqlalchemy.engine import Engine

from db.store import Store
from tests.db.samples import NOON_MS


@pytest.fixture
def store(engine: Engine) -> Store:
    """A store on a fresh database, whose clock stands at noon."""
    return Store(engine, clock_ms=lambda: NOON_MS)
