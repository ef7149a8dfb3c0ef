"""The tables of alerts as SQLAlchemy models: what is asked for in columns, everything else in a JSON document."""

from __future__ import annotations

from sqlalchemy import BigInteger, Double, Index, Integer, String, Text
from sqlalchemy.dialects import mysql
from sqlalchemy.orm import Mapped, mapped_column

from db.base import AutoId, Base

# A notification may list a hundred sources with what each of them failed of.
_Document = Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")


class AlertRule(Base):
    """A rule of one's own, or a default rule that was changed; the others are in the program."""

    __tablename__ = "alert_rules"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    document: Mapped[str] = mapped_column(_Document)
    updated_at: Mapped[int] = mapped_column(BigInteger)
    updated_by: Mapped[str] = mapped_column(String(100))


class AlertState(Base):
    """How one alert stands: a rule for one source (domain, job …); none for those that are normal."""

    __tablename__ = "alert_states"

    rule_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    alert_key: Mapped[str] = mapped_column(String(190), primary_key=True)
    state: Mapped[str] = mapped_column(String(12))
    since_ms: Mapped[int] = mapped_column(BigInteger)
    fired_at: Mapped[int | None] = mapped_column(BigInteger)
    value: Mapped[float | None] = mapped_column(Double)
    document: Mapped[str] = mapped_column(_Document)


class AlertHistory(Base):
    """Something that happened to an alert, or a notification that was made."""

    __tablename__ = "alert_history"
    __table_args__ = (Index("ix_alert_history_at", "at_ms"), Index("ix_alert_history_rule", "rule_id", "at_ms"))

    id: Mapped[int] = mapped_column(AutoId, primary_key=True, autoincrement=True)
    at_ms: Mapped[int] = mapped_column(BigInteger)
    rule_id: Mapped[str] = mapped_column(String(64))
    alert_key: Mapped[str] = mapped_column(String(190))
    what: Mapped[str] = mapped_column(String(16))
    document: Mapped[str] = mapped_column(_Document)


class AlertSilence(Base):
    """Alerts that nobody is told of: for a while, again and again (a maintenance window), or because somebody knows."""

    __tablename__ = "alert_silences"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    ends_at: Mapped[int | None] = mapped_column(BigInteger)  # None for one that recurs without an end
    document: Mapped[str] = mapped_column(_Document)
    updated_at: Mapped[int] = mapped_column(BigInteger)
    updated_by: Mapped[str] = mapped_column(String(100))


class AlertChannel(Base):
    """Where notifications go; what is secret about it is in a column of its own."""

    __tablename__ = "alert_channels"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    document: Mapped[str] = mapped_column(_Document)
    secret: Mapped[str] = mapped_column(Text)
    updated_at: Mapped[int] = mapped_column(BigInteger)
    updated_by: Mapped[str] = mapped_column(String(100))


class AlertDelivery(Base):
    """A notification on its way to one channel (outbox)."""

    __tablename__ = "alert_deliveries"
    __table_args__ = (Index("ix_alert_delivery_next", "state", "next_at"), Index("ix_alert_delivery_at", "created_at"))

    id: Mapped[int] = mapped_column(AutoId, primary_key=True, autoincrement=True)
    created_at: Mapped[int] = mapped_column(BigInteger)
    channel_id: Mapped[str] = mapped_column(String(64))
    rule_id: Mapped[str] = mapped_column(String(64))
    group_key: Mapped[str] = mapped_column(String(64))
    what: Mapped[str] = mapped_column(String(16))  # firing, resolved, still_firing, test
    state: Mapped[str] = mapped_column(String(10))  # pending, sent, failed (tried again at next_at), dead
    attempts: Mapped[int] = mapped_column(Integer)
    next_at: Mapped[int] = mapped_column(BigInteger)
    sent_at: Mapped[int | None] = mapped_column(BigInteger)
    last_error: Mapped[str | None] = mapped_column(Text)
    document: Mapped[str] = mapped_column(_Document)


class JobSchedule(Base):
    """When a scheduler job is meant to run, as somebody declared it."""

    __tablename__ = "job_schedules"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)  # the job's name
    document: Mapped[str] = mapped_column(_Document)
    updated_at: Mapped[int] = mapped_column(BigInteger)
    updated_by: Mapped[str] = mapped_column(String(100))
