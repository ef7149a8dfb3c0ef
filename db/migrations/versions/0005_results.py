"""Rollups that keep failures and successes apart; those that still have their detail are computed anew."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TABLES = ("scraper_metrics_minute", "scraper_metrics_hourly", "scraper_daily_summary")


def upgrade() -> None:
    inspector = sa.inspect(op.get_bind())
    for table in TABLES:
        # Only what is missing: MySQL commits every DDL statement, and a run that was killed is simply run again.
        there = {column["name"] for column in inspector.get_columns(table)}
        for column in _columns():
            if column.name not in there:
                op.add_column(table, column)
    # What is rolled up so far counts as nothing: at the next start all detail rows are looked at.
    op.execute("DELETE FROM rollup_state WHERE name = 'rolled_detail_id'")


def downgrade() -> None:
    for table in TABLES:
        for column in _columns():
            op.drop_column(table, column.name)


def _columns() -> list[sa.Column[object]]:
    columns: list[sa.Column[object]] = []
    for kind in ("navigation", "scrape"):
        columns += [
            sa.Column(f"{what}_{result}_{kind}_duration_ms", sa.Double())
            for result in ("ok", "failed")
            for what in ("sum", "min", "max")
        ]
        columns.append(sa.Column(f"failed_{kind}_sketch", sa.LargeBinary()))
    return [
        *columns,
        sa.Column("failed_items_extracted", sa.BigInteger()),
        sa.Column("last_failure_at", sa.BigInteger()),
    ]
