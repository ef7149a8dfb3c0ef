"""Notifications and rows of the outbox for tests."""

from __future__ import annotations

from typing import Any

from alerts.notices import Entry, Notice
from db.alert_rows import DeliveryRow

AT_MS = 1_795_341_600_000  # 2026-11-22 10:00 UTC


def entry(key: str = "shop-1", **changes: Any) -> Entry:
    return Entry(**{"key": key, "value": 42.125, "threshold": 90.0, "fired_ms": AT_MS - 480_000, "new": True} | changes)


def notice(*firing: Entry, resolved: tuple[Entry, ...] = (), **changes: Any) -> Notice:
    fires = firing or (() if resolved else (entry(),))
    known: dict[str, Any] = {
        "what": "firing", "rule_id": "low", "rule_name": "Low success rate", "severity": "critical",
        "measure": "success_rate", "by": "source", "group_key": "g1", "at_ms": AT_MS,
        "reasons": {"domain": "shop.example"}, "since_ms": min(one.fired_ms for one in fires + resolved),
        "firing_count": len(fires), "firing": fires, "resolved_count": len(resolved), "resolved": resolved,
    }  # fmt: skip
    return Notice(**known | changes)


def row(channel: str = "ops", told: Notice | None = None, **changes: Any) -> DeliveryRow:
    told = told or notice()
    return DeliveryRow(
        **{
            "created_at_ms": told.at_ms, "channel_id": channel, "rule_id": told.rule_id, "group_key": told.group_key,
            "what": told.what, "document": told.document(), "next_at_ms": told.at_ms,
        } | changes
    )  # fmt: skip
