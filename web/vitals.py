"""What the program says of itself, gathered from its parts: for the System page, `/api/stats` and `/metrics`."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from db.health import StoreHealth
from db.vitals import ChannelVitals, Vitals
from live.channel import Channel
from live.hub import Hub
from live.meter import Rates
from live.views import ViewEngine

_PERCENTILE = 0.99


class VitalSigns:
    """Reads them from the hub, the channel, the view engine and the store, from any thread.

    Args:
        hub: Owns the sockets.
        channel: The public channel.
        views: The view engine.
        store_health: How the store is doing.
    """

    def __init__(self, hub: Hub, channel: Channel, views: ViewEngine, store_health: Callable[[], StoreHealth]) -> None:
        self._hub = hub
        self._channel = channel
        self._views = views
        self._store_health = store_health
        self._rates = Rates(lambda: (hub.frames_sent, hub.bytes_sent))
        self._started_at_ms = time.time_ns() // 1_000_000

    def sample(self) -> None:
        """Look at the counters that rates are computed from; to be called once a second."""
        self._rates.sample()

    def read(self) -> Vitals:
        """Return them as pages ask for them."""
        hub, views = self._hub, self._views.stats()
        frames_per_s, bytes_per_s = self._rates.per_s()
        return Vitals(
            process_id=os.getpid(),
            started_at_ms=self._started_at_ms,
            memory_bytes=_memory_bytes(),
            channel=ChannelVitals(
                connections=len(hub.connections),
                viewers=views["viewers"],
                views=views["views"],
                subscriptions=self._channel.subscriptions,
                frames_per_s=frames_per_s,
                bytes_per_s=bytes_per_s,
                outbox_high_water_bytes=hub.outboxes.high_water_bytes,
                send_p99_ms=hub.send_times.percentile_ms(_PERCENTILE),
                lag_p99_ms=hub.lags.percentile_ms(_PERCENTILE),
                dropped=self._dropped(),
                refused=self._refused(),
                ended=hub.ended.counts(),
            ),
            store=self._store_health(),
        )

    def stats(self) -> dict[str, Any]:
        """Return the channel's as `/api/stats` names them."""
        channel = self.read().channel
        return {
            "connections": channel.connections,
            "subscriptions": channel.subscriptions,
            "framesSent": self._hub.frames_sent,
            "bytesSent": self._hub.bytes_sent,
            "framesPerS": round(channel.frames_per_s, 1),
            "bytesPerS": round(channel.bytes_per_s),
            "framesDropped": self._hub.frames_dropped + self._hub.outboxes.frames_dropped,
            "dropped": dict(channel.dropped),
            "refused": dict(channel.refused),
            "ended": dict(channel.ended),
            "outboxHighWaterBytes": channel.outbox_high_water_bytes,
            "outboxesBytes": self._hub.outboxes.held_bytes,
            "sendP99Ms": _rounded(channel.send_p99_ms),
            "lagP99Ms": _rounded(channel.lag_p99_ms),
            "batchesPublished": self._channel.batches_published,
            "metricsPublished": self._channel.metrics_published,
            **self._views.stats(),
        }

    def _refused(self) -> Mapping[str, int]:
        views = {"pages: too many distinct views": self._views.refused} if self._views.refused else {}
        return {**self._hub.refused.counts(), **views}

    def _dropped(self) -> Mapping[str, int]:
        found = {
            "frames: the outbox was full": self._hub.frames_dropped,
            "frames: all outboxes together were too full": self._hub.outboxes.frames_dropped,
            "pongs: the outbox was full": self._hub.pongs_dropped,
        }
        return {reason: times for reason, times in found.items() if times}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _memory_bytes() -> int | None:
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):  # not Linux: what isn't known isn't shown
        return None
    return pages * resource.getpagesize()
