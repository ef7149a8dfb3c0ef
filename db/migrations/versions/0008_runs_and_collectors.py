"""Runs of scrapers with what was told of them, and the collectors that report."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from db.migrations.options import table_options

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    options = table_options(op.get_bind())
    op.create_table(
        "scraper_run_messages",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("run_id", sa.String(64), nullable=False),
        *_told(),
        sa.Column("heard_at", sa.BigInteger(), nullable=False),
        if_not_exists=True,
        **options,
    )
    op.create_table(
        "scraper_runs",
        sa.Column("run_id", sa.String(64), primary_key=True),
        *_told(),
        sa.Column("heard_at", sa.BigInteger(), nullable=False),
        sa.Column("progress", sa.BigInteger(), nullable=False),
        if_not_exists=True,
        **options,
    )
    op.create_table(
        "collectors",
        sa.Column("collector_id", sa.String(64), primary_key=True),
        sa.Column("way", sa.String(10), nullable=False),
        sa.Column("host", sa.String(200), nullable=False),
        sa.Column("pid", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("version", sa.String(200), nullable=False),
        sa.Column("python", sa.String(200), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("heard_at", sa.BigInteger(), nullable=False),
        sa.Column("interval_s", sa.Double(), nullable=False),
        sa.Column("recorded", sa.BigInteger(), nullable=False),
        sa.Column("flushed", sa.BigInteger(), nullable=False),
        sa.Column("pending", sa.BigInteger(), nullable=False),
        sa.Column("adopted", sa.BigInteger(), nullable=False),
        sa.Column("dropped", sa.Text(), nullable=False),
        sa.Column("spool_bytes", sa.BigInteger(), nullable=False),
        sa.Column("spool_metrics", sa.BigInteger(), nullable=False),
        sa.Column("last_flush_at", sa.BigInteger()),
        sa.Column("last_error", sa.String(200)),
        sa.Column("skew_ms", sa.BigInteger(), nullable=False),
        sa.Column("corrected", sa.BigInteger(), nullable=False),
        if_not_exists=True,
        **options,
    )
    _index("ix_run_message_heard", "scraper_run_messages", "heard_at")
    _index("ix_run_recorded", "scraper_runs", "recorded_at")
    _index("ix_run_state", "scraper_runs", "state", "heard_at")
    _index("ix_collector_heard", "collectors", "heard_at")


def downgrade() -> None:
    for table in ("collectors", "scraper_runs", "scraper_run_messages"):
        op.drop_table(table)


def _told() -> list[sa.Column[object]]:
    return [
        sa.Column("name", sa.String(50), nullable=False),
        sa.Column("scraper_source", sa.String(50)),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("items_extracted", sa.BigInteger(), nullable=False),
        sa.Column("expected_items", sa.BigInteger()),
        sa.Column("heartbeat_interval_ms", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text()),
    ]


def _index(name: str, table: str, *columns: str) -> None:
    # MySQL has no CREATE INDEX IF NOT EXISTS.
    if name not in {index["name"] for index in sa.inspect(op.get_bind()).get_indexes(table)}:
        op.create_index(name, table, list(columns))
