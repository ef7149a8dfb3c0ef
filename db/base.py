"""What all tables share: the base of their models, and the type of ids that the database gives."""

from __future__ import annotations

from sqlalchemy import BigInteger, Integer
from sqlalchemy.orm import DeclarativeBase

# SQLite numbers rows by itself only in a column that is exactly INTEGER.
AutoId = BigInteger().with_variant(Integer(), "sqlite")


class Base(DeclarativeBase):
    """Base of all tables; every `…_at` and `…_ms` column is epoch milliseconds UTC."""
