"""Alerts: rules, states, history, silences, channels, the outbox of notifications, and schedules of jobs."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from db.migrations.options import table_options

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_TABLES = (
    "job_schedules", "alert_deliveries", "alert_channels", "alert_silences", "alert_history", "alert_states",
    "alert_rules",
)  # fmt: skip


def upgrade() -> None:
    options = table_options(op.get_bind())
    # Settings by people: a document each, and who changed it when.
    for name, *columns in (
        ("alert_rules",),
        ("alert_silences", sa.Column("ends_at", sa.BigInteger())),
        ("alert_channels", sa.Column("secret", sa.Text(), nullable=False)),
        ("job_schedules",),
    ):
        op.create_table(
            str(name),
            sa.Column("id", sa.String(64), primary_key=True),
            _document(),
            sa.Column("updated_at", sa.BigInteger(), nullable=False),
            sa.Column("updated_by", sa.String(100), nullable=False),
            *columns,
            if_not_exists=True,
            **options,
        )
    op.create_table(
        "alert_states",
        sa.Column("rule_id", sa.String(64), primary_key=True),
        sa.Column("alert_key", sa.String(190), primary_key=True),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("since_ms", sa.BigInteger(), nullable=False),
        sa.Column("fired_at", sa.BigInteger()),
        sa.Column("value", sa.Double()),
        _document(),
        if_not_exists=True,
        **options,
    )
    op.create_table(
        "alert_history",
        _id(),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("rule_id", sa.String(64), nullable=False),
        sa.Column("alert_key", sa.String(190), nullable=False),
        sa.Column("what", sa.String(16), nullable=False),
        _document(),
        if_not_exists=True,
        **options,
    )
    op.create_table(
        "alert_deliveries",
        _id(),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("channel_id", sa.String(64), nullable=False),
        sa.Column("rule_id", sa.String(64), nullable=False),
        sa.Column("group_key", sa.String(64), nullable=False),
        sa.Column("what", sa.String(16), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=False),
        sa.Column("sent_at", sa.BigInteger()),
        sa.Column("last_error", sa.Text()),
        _document(),
        if_not_exists=True,
        **options,
    )
    _index("ix_alert_history_at", "alert_history", "at_ms")
    _index("ix_alert_history_rule", "alert_history", "rule_id", "at_ms")
    _index("ix_alert_delivery_next", "alert_deliveries", "state", "next_at")
    _index("ix_alert_delivery_at", "alert_deliveries", "created_at")


def downgrade() -> None:
    for name in _TABLES:
        op.drop_table(name)


def _id() -> sa.Column[Any]:
    return sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=True)


def _document() -> sa.Column[Any]:
    # A notification may list a hundred sources: more than the 64 KiB of a TEXT.
    return sa.Column("document", sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb"), nullable=False)


def _index(name: str, table: str, *columns: str) -> None:
    # MySQL has no CREATE INDEX IF NOT EXISTS.
    if name not in {index["name"] for index in sa.inspect(op.get_bind()).get_indexes(table)}:
        op.create_index(name, table, list(columns))
