"""The tables (SPEC section 4) as SQLAlchemy models; the schema itself is made by the migrations only."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import BigInteger, Date, DateTime, Double, Index, Integer, LargeBinary, SmallInteger, String, Text
from sqlalchemy.dialects import mysql
from sqlalchemy.orm import Mapped, mapped_column

import db.alert_models  # noqa: F401 - who knows the tables knows those of alerts too
from db.base import AutoId
from db.base import Base as Base


class PagePerformance(Base):
    """One page navigation or page scrape (detail)."""

    __tablename__ = "scraper_page_performance"
    # On MySQL/MariaDB the table is partitioned by day (db.partitions), and these indexes name the id as their last
    # part: rows of a partitioned table come out in its order only then.
    __table_args__ = (
        Index("ix_page_created", "created_at"),
        Index("ix_page_source_created", "scraper_source", "created_at"),
    )

    id: Mapped[int] = mapped_column(AutoId, primary_key=True, autoincrement=True)
    scraper_source: Mapped[str] = mapped_column(String(50))
    metric_type: Mapped[str] = mapped_column(String(10))  # 'navigation' or 'scrape'
    page_url: Mapped[str] = mapped_column(String(2048))
    domain: Mapped[str | None] = mapped_column(String(255))
    navigation_duration_ms: Mapped[float | None] = mapped_column(Double)
    retry_count: Mapped[int | None] = mapped_column(Integer)
    scrape_duration_ms: Mapped[float | None] = mapped_column(Double)
    items_extracted: Mapped[int | None] = mapped_column(Integer)
    data_size: Mapped[int | None] = mapped_column(BigInteger)
    success: Mapped[bool]
    error: Mapped[str | None] = mapped_column(Text)
    status_code: Mapped[int | None] = mapped_column(SmallInteger)
    outcome: Mapped[str | None] = mapped_column(String(20))
    run_id: Mapped[str | None] = mapped_column(String(64))
    labels: Mapped[str | None] = mapped_column(Text)  # a JSON object of strings
    fields: Mapped[str | None] = mapped_column(Text)  # a JSON object: field of the items -> items that had it
    created_at: Mapped[int] = mapped_column(BigInteger)  # when it was recorded


class SchedulerMetric(Base):
    """One execution of a scheduler job."""

    __tablename__ = "scheduler_metrics"
    __table_args__ = (
        Index("ix_scheduler_created", "created_at"),
        Index("ix_scheduler_name_created", "scheduler_name", "created_at"),
    )

    id: Mapped[int] = mapped_column(AutoId, primary_key=True, autoincrement=True)
    scheduler_name: Mapped[str] = mapped_column(String(50))
    scraper_source: Mapped[str | None] = mapped_column(String(50))
    execution_duration_ms: Mapped[float] = mapped_column(Double)
    items_processed: Mapped[int] = mapped_column(Integer)
    success: Mapped[bool]
    error: Mapped[str | None] = mapped_column(Text)
    run_id: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[int] = mapped_column(BigInteger)


class IngestBatch(Base):
    """A batch that was stored: its id makes a second delivery harmless."""

    __tablename__ = "ingest_batches"
    __table_args__ = (Index("ix_batch_created", "created_at"),)

    batch_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    created_at: Mapped[int] = mapped_column(BigInteger)  # when it arrived
    accepted: Mapped[int] = mapped_column(Integer)


class IngestLog(Base):
    """The ids that one statement stored: what other processes follow (db.ingest_log)."""

    __tablename__ = "ingest_log"

    seq: Mapped[int] = mapped_column(AutoId, primary_key=True, autoincrement=True)
    writer: Mapped[int] = mapped_column(BigInteger)  # a random number for each store
    of_runs: Mapped[bool]  # what the ids are of: 0 page metrics, 1 scheduler runs, 2 run messages (db.ingest_log)
    first_id: Mapped[int] = mapped_column(BigInteger)
    row_count: Mapped[int] = mapped_column(Integer)
    id_step: Mapped[int] = mapped_column(SmallInteger)  # distance of two ids: not 1 in a cluster of several writers


class Aggregates:
    """What a rollup row knows of one source over its minute, hour or day; durations are NULL where nothing was."""

    total_navigations: Mapped[int] = mapped_column(Integer)
    successful_navigations: Mapped[int] = mapped_column(Integer)
    avg_navigation_duration_ms: Mapped[float | None] = mapped_column(Double)
    min_navigation_duration_ms: Mapped[float | None] = mapped_column(Double)
    max_navigation_duration_ms: Mapped[float | None] = mapped_column(Double)
    sum_navigation_duration_ms: Mapped[float] = mapped_column(Double)
    total_scrapes: Mapped[int] = mapped_column(Integer)
    successful_scrapes: Mapped[int] = mapped_column(Integer)
    avg_scrape_duration_ms: Mapped[float | None] = mapped_column(Double)
    min_scrape_duration_ms: Mapped[float | None] = mapped_column(Double)
    max_scrape_duration_ms: Mapped[float | None] = mapped_column(Double)
    sum_scrape_duration_ms: Mapped[float] = mapped_column(Double)
    total_items_extracted: Mapped[int] = mapped_column(BigInteger)
    total_retries: Mapped[int] = mapped_column(BigInteger)
    last_recorded_at: Mapped[int] = mapped_column(BigInteger)
    last_success_at: Mapped[int | None] = mapped_column(BigInteger)
    navigation_sketch: Mapped[bytes] = mapped_column(LargeBinary)  # db.sketch: mergeable distribution of durations
    scrape_sketch: Mapped[bytes] = mapped_column(LargeBinary)


class Results:
    """What failed and what went well in a rollup row, apart: what a page that shows only one of them is drawn from.

    The columns of a kind are NULL where none of it failed (the totals are the successes' own), and where some failed
    but it isn't known any more: in rows whose detail was deleted before these columns came.
    """

    sum_ok_navigation_duration_ms: Mapped[float | None] = mapped_column(Double)
    min_ok_navigation_duration_ms: Mapped[float | None] = mapped_column(Double)
    max_ok_navigation_duration_ms: Mapped[float | None] = mapped_column(Double)
    sum_failed_navigation_duration_ms: Mapped[float | None] = mapped_column(Double)
    min_failed_navigation_duration_ms: Mapped[float | None] = mapped_column(Double)
    max_failed_navigation_duration_ms: Mapped[float | None] = mapped_column(Double)
    failed_navigation_sketch: Mapped[bytes | None] = mapped_column(LargeBinary)
    sum_ok_scrape_duration_ms: Mapped[float | None] = mapped_column(Double)
    min_ok_scrape_duration_ms: Mapped[float | None] = mapped_column(Double)
    max_ok_scrape_duration_ms: Mapped[float | None] = mapped_column(Double)
    sum_failed_scrape_duration_ms: Mapped[float | None] = mapped_column(Double)
    min_failed_scrape_duration_ms: Mapped[float | None] = mapped_column(Double)
    max_failed_scrape_duration_ms: Mapped[float | None] = mapped_column(Double)
    failed_scrape_sketch: Mapped[bytes | None] = mapped_column(LargeBinary)
    failed_items_extracted: Mapped[int | None] = mapped_column(BigInteger)  # of the failed scrapes
    last_failure_at: Mapped[int | None] = mapped_column(BigInteger)


class Percentiles:
    """Percentiles as plain numbers, for who reads the public rollup tables with SQL."""

    p50_navigation_duration_ms: Mapped[float | None] = mapped_column(Double)
    p95_navigation_duration_ms: Mapped[float | None] = mapped_column(Double)
    p99_navigation_duration_ms: Mapped[float | None] = mapped_column(Double)
    p50_scrape_duration_ms: Mapped[float | None] = mapped_column(Double)
    p95_scrape_duration_ms: Mapped[float | None] = mapped_column(Double)
    p99_scrape_duration_ms: Mapped[float | None] = mapped_column(Double)


class MinuteRollup(Aggregates, Results, Base):
    """One source in one minute; time comes first in the key because ranges are read for all sources."""

    __tablename__ = "scraper_metrics_minute"
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012 - SQLAlchemy reads it once

    minute_start_ms: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    scraper_source: Mapped[str] = mapped_column(String(50), primary_key=True)


class HourlyRollup(Aggregates, Percentiles, Results, Base):
    """One source in one hour."""

    __tablename__ = "scraper_metrics_hourly"
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012

    hour_start_ms: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    scraper_source: Mapped[str] = mapped_column(String(50), primary_key=True)
    hour_utc: Mapped[dt.datetime] = mapped_column(DateTime)  # the same moment, for people


class DailySummary(Aggregates, Percentiles, Results, Base):
    """One source on one UTC day; kept for ever."""

    __tablename__ = "scraper_daily_summary"
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012

    metric_date: Mapped[dt.date] = mapped_column(Date, primary_key=True)
    scraper_source: Mapped[str] = mapped_column(String(50), primary_key=True)


class Breakdown(Base):
    """All sources over five minutes, an hour, six hours or a day, by one dimension (db.breakdown)."""

    __tablename__ = "scraper_breakdowns"

    dimension: Mapped[str] = mapped_column(String(10), primary_key=True)
    length_ms: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    start_ms: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    row_count: Mapped[int] = mapped_column(BigInteger)  # detail rows of the span: by these it is known to be complete
    packed: Mapped[bytes] = mapped_column(LargeBinary().with_variant(mysql.LONGBLOB(), "mysql", "mariadb"))


class JobAggregates:
    """What a rollup row knows of one scheduler job, run for one scraper, over its hour or day."""

    total_runs: Mapped[int] = mapped_column(Integer)
    successful_runs: Mapped[int] = mapped_column(Integer)
    avg_execution_duration_ms: Mapped[float] = mapped_column(Double)
    min_execution_duration_ms: Mapped[float] = mapped_column(Double)
    max_execution_duration_ms: Mapped[float] = mapped_column(Double)
    sum_execution_duration_ms: Mapped[float] = mapped_column(Double)
    p50_execution_duration_ms: Mapped[float] = mapped_column(Double)
    p95_execution_duration_ms: Mapped[float] = mapped_column(Double)
    p99_execution_duration_ms: Mapped[float] = mapped_column(Double)
    total_items_processed: Mapped[int] = mapped_column(BigInteger)
    last_recorded_at: Mapped[int] = mapped_column(BigInteger)
    last_success: Mapped[bool]  # whether the last run went well
    last_failure_at: Mapped[int | None] = mapped_column(BigInteger)
    last_error: Mapped[str | None] = mapped_column(Text)  # of the last run that failed
    job_state: Mapped[bytes] = mapped_column(LargeBinary)  # db.job_rows: what adds up, failed and ok runs apart


class SchedulerHour(JobAggregates, Base):
    """One job, run for one scraper, in one hour; "" where it runs for none."""

    __tablename__ = "scheduler_metrics_hourly"
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012

    hour_start_ms: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    scheduler_name: Mapped[str] = mapped_column(String(50), primary_key=True)
    scraper_source: Mapped[str] = mapped_column(String(50), primary_key=True)
    hour_utc: Mapped[dt.datetime] = mapped_column(DateTime)  # the same moment, for people


class SchedulerDay(JobAggregates, Base):
    """One job, run for one scraper, on one UTC day; kept for ever."""

    __tablename__ = "scheduler_daily_summary"
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012

    metric_date: Mapped[dt.date] = mapped_column(Date, primary_key=True)
    scheduler_name: Mapped[str] = mapped_column(String(50), primary_key=True)
    scraper_source: Mapped[str] = mapped_column(String(50), primary_key=True)


class RunTold:
    """What a scraper told of one of its runs."""

    name: Mapped[str] = mapped_column(String(50))
    scraper_source: Mapped[str | None] = mapped_column(String(50))
    state: Mapped[str] = mapped_column(String(10))  # 'running', 'ok', 'failed', 'killed'; 'lost' says the app alone
    started_at: Mapped[int] = mapped_column(BigInteger)
    recorded_at: Mapped[int] = mapped_column(BigInteger)  # when it was told
    items_extracted: Mapped[int] = mapped_column(BigInteger)
    expected_items: Mapped[int | None] = mapped_column(BigInteger)
    heartbeat_interval_ms: Mapped[int] = mapped_column(Integer)
    error: Mapped[str | None] = mapped_column(Text)
    heard_at: Mapped[int] = mapped_column(BigInteger)  # when it arrived, by the app's clock


class RunMessage(RunTold, Base):
    """One message about a run: its beginning, a heartbeat, its end; kept as long as detail."""

    __tablename__ = "scraper_run_messages"
    __table_args__ = (Index("ix_run_message_heard", "heard_at"),)

    id: Mapped[int] = mapped_column(AutoId, primary_key=True, autoincrement=True)
    run_id: Mapped[str] = mapped_column(String(64))


class ScraperRun(RunTold, Base):
    """What counts of a run's messages (db.run_states), with the moment of the newest one."""

    __tablename__ = "scraper_runs"
    __table_args__ = (Index("ix_run_recorded", "recorded_at"), Index("ix_run_state", "state", "heard_at"))

    run_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    progress: Mapped[int] = mapped_column(BigInteger)  # of two messages, the one with more of it counts


class CollectorState(Base):
    """What a process' collector last said of itself, and what the app thinks of its clock."""

    __tablename__ = "collectors"
    __table_args__ = (Index("ix_collector_heard", "heard_at"),)

    collector_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    way: Mapped[str] = mapped_column(String(10))  # 'http', 'app' (within an app's process) or 'database'
    host: Mapped[str] = mapped_column(String(200))
    pid: Mapped[int] = mapped_column(BigInteger)
    name: Mapped[str] = mapped_column(String(200))
    version: Mapped[str] = mapped_column(String(200))
    python: Mapped[str] = mapped_column(String(200))
    started_at: Mapped[int] = mapped_column(BigInteger)  # by the app's clock, as all moments here
    heard_at: Mapped[int] = mapped_column(BigInteger)
    interval_s: Mapped[float] = mapped_column(Double)
    recorded: Mapped[int] = mapped_column(BigInteger)
    flushed: Mapped[int] = mapped_column(BigInteger)
    pending: Mapped[int] = mapped_column(BigInteger)
    adopted: Mapped[int] = mapped_column(BigInteger)
    dropped: Mapped[str] = mapped_column(Text)  # a JSON object: reason -> metrics
    spool_bytes: Mapped[int] = mapped_column(BigInteger)
    spool_metrics: Mapped[int] = mapped_column(BigInteger)
    last_flush_at: Mapped[int | None] = mapped_column(BigInteger)
    last_error: Mapped[str | None] = mapped_column(String(200))
    skew_ms: Mapped[int] = mapped_column(BigInteger)  # the app's clock less its own
    corrected: Mapped[int] = mapped_column(BigInteger)  # metrics whose time was corrected by that


class RollupState(Base):
    """What the rollups must remember over a restart: numbers by name."""

    __tablename__ = "rollup_state"

    name: Mapped[str] = mapped_column(String(50), primary_key=True)
    value: Mapped[int] = mapped_column(BigInteger)
