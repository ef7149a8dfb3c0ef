"""Rollups of scheduler runs: by hour, and by day for ever."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from db.migrations.options import table_options

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    options = table_options(op.get_bind())
    op.create_table(
        "scheduler_metrics_hourly",
        sa.Column("hour_start_ms", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("scheduler_name", sa.String(50), primary_key=True),
        sa.Column("scraper_source", sa.String(50), primary_key=True),
        sa.Column("hour_utc", sa.DateTime(), nullable=False),
        *_aggregates(),
        if_not_exists=True,
        sqlite_with_rowid=False,
        **options,
    )
    op.create_table(
        "scheduler_daily_summary",
        sa.Column("metric_date", sa.Date(), primary_key=True),
        sa.Column("scheduler_name", sa.String(50), primary_key=True),
        sa.Column("scraper_source", sa.String(50), primary_key=True),
        *_aggregates(),
        if_not_exists=True,
        sqlite_with_rowid=False,
        **options,
    )


def downgrade() -> None:
    op.drop_table("scheduler_daily_summary")
    op.drop_table("scheduler_metrics_hourly")


def _aggregates() -> list[sa.Column[object]]:
    return [
        sa.Column("total_runs", sa.Integer(), nullable=False),
        sa.Column("successful_runs", sa.Integer(), nullable=False),
        *(
            sa.Column(f"{what}_execution_duration_ms", sa.Double(), nullable=False)
            for what in ("avg", "min", "max", "sum", "p50", "p95", "p99")
        ),
        sa.Column("total_items_processed", sa.BigInteger(), nullable=False),
        sa.Column("last_recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("last_success", sa.Boolean(), nullable=False),
        sa.Column("last_failure_at", sa.BigInteger()),
        sa.Column("last_error", sa.Text()),
        sa.Column("job_state", sa.LargeBinary(), nullable=False),
    ]
