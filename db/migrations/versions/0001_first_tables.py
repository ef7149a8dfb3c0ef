"""First tables: detail, scheduler runs, rollups, batch ids."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from db.migrations.options import table_options

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    # "if not exists" throughout: MySQL commits every DDL statement, and a run that was killed is simply run again.
    options = table_options(op.get_bind())
    op.create_table(
        "scraper_page_performance",
        sa.Column("id", BIG_ID, primary_key=True, autoincrement=True),
        sa.Column("scraper_source", sa.String(50), nullable=False),
        sa.Column("metric_type", sa.String(10), nullable=False),
        sa.Column("page_url", sa.String(2048), nullable=False),
        sa.Column("domain", sa.String(255)),
        sa.Column("navigation_duration_ms", sa.Double()),
        sa.Column("retry_count", sa.Integer()),
        sa.Column("scrape_duration_ms", sa.Double()),
        sa.Column("items_extracted", sa.Integer()),
        sa.Column("data_size", sa.BigInteger()),
        sa.Column("success", sa.Boolean(), nullable=False),
        sa.Column("error", sa.Text()),
        sa.Column("status_code", sa.SmallInteger()),
        sa.Column("outcome", sa.String(20)),
        sa.Column("run_id", sa.String(64)),
        sa.Column("labels", sa.Text()),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        if_not_exists=True,
        **options,
    )
    _index("ix_page_created", "scraper_page_performance", "created_at")
    _index("ix_page_source_created", "scraper_page_performance", "scraper_source", "created_at")
    op.create_table(
        "scheduler_metrics",
        sa.Column("id", BIG_ID, primary_key=True, autoincrement=True),
        sa.Column("scheduler_name", sa.String(50), nullable=False),
        sa.Column("scraper_source", sa.String(50)),
        sa.Column("execution_duration_ms", sa.Double(), nullable=False),
        sa.Column("items_processed", sa.Integer(), nullable=False),
        sa.Column("success", sa.Boolean(), nullable=False),
        sa.Column("error", sa.Text()),
        sa.Column("run_id", sa.String(64)),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        if_not_exists=True,
        **options,
    )
    _index("ix_scheduler_created", "scheduler_metrics", "created_at")
    _index("ix_scheduler_name_created", "scheduler_metrics", "scheduler_name", "created_at")
    op.create_table(
        "ingest_batches",
        sa.Column("batch_id", sa.String(64), primary_key=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("accepted", sa.Integer(), nullable=False),
        if_not_exists=True,
        **options,
    )
    _index("ix_batch_created", "ingest_batches", "created_at")
    op.create_table(
        "scraper_metrics_minute",
        sa.Column("minute_start_ms", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("scraper_source", sa.String(50), primary_key=True),
        *_aggregates(),
        if_not_exists=True,
        sqlite_with_rowid=False,
        **options,
    )
    op.create_table(
        "scraper_metrics_hourly",
        sa.Column("hour_start_ms", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("scraper_source", sa.String(50), primary_key=True),
        sa.Column("hour_utc", sa.DateTime(), nullable=False),
        *_aggregates(),
        *_percentiles(),
        if_not_exists=True,
        sqlite_with_rowid=False,
        **options,
    )
    op.create_table(
        "scraper_daily_summary",
        sa.Column("metric_date", sa.Date(), primary_key=True),
        sa.Column("scraper_source", sa.String(50), primary_key=True),
        *_aggregates(),
        *_percentiles(),
        if_not_exists=True,
        sqlite_with_rowid=False,
        **options,
    )
    op.create_table(
        "rollup_state",
        sa.Column("name", sa.String(50), primary_key=True),
        sa.Column("value", sa.BigInteger(), nullable=False),
        if_not_exists=True,
        **options,
    )


def downgrade() -> None:
    for table in (
        "rollup_state",
        "scraper_daily_summary",
        "scraper_metrics_hourly",
        "scraper_metrics_minute",
        "ingest_batches",
        "scheduler_metrics",
        "scraper_page_performance",
    ):
        op.drop_table(table)


def _index(name: str, table: str, *columns: str) -> None:
    # MySQL has no CREATE INDEX IF NOT EXISTS.
    if name not in {index["name"] for index in sa.inspect(op.get_bind()).get_indexes(table)}:
        op.create_index(name, table, list(columns))


def _aggregates() -> list[sa.Column[object]]:
    return [
        sa.Column("total_navigations", sa.Integer(), nullable=False),
        sa.Column("successful_navigations", sa.Integer(), nullable=False),
        sa.Column("avg_navigation_duration_ms", sa.Double()),
        sa.Column("min_navigation_duration_ms", sa.Double()),
        sa.Column("max_navigation_duration_ms", sa.Double()),
        sa.Column("sum_navigation_duration_ms", sa.Double(), nullable=False),
        sa.Column("total_scrapes", sa.Integer(), nullable=False),
        sa.Column("successful_scrapes", sa.Integer(), nullable=False),
        sa.Column("avg_scrape_duration_ms", sa.Double()),
        sa.Column("min_scrape_duration_ms", sa.Double()),
        sa.Column("max_scrape_duration_ms", sa.Double()),
        sa.Column("sum_scrape_duration_ms", sa.Double(), nullable=False),
        sa.Column("total_items_extracted", sa.BigInteger(), nullable=False),
        sa.Column("total_retries", sa.BigInteger(), nullable=False),
        sa.Column("last_recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("last_success_at", sa.BigInteger()),
        sa.Column("navigation_sketch", sa.LargeBinary(), nullable=False),
        sa.Column("scrape_sketch", sa.LargeBinary(), nullable=False),
    ]


def _percentiles() -> list[sa.Column[object]]:
    return [
        sa.Column(f"{percentile}_{kind}_duration_ms", sa.Double())
        for kind in ("navigation", "scrape")
        for percentile in ("p50", "p95", "p99")
    ]
