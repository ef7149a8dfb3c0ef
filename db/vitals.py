"""What the running program says of itself, in the form in which pages ask for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from db.health import StoreHealth


@dataclass(frozen=True, slots=True)
class ChannelVitals:
    """How the live channel is doing; counters are since this process started.

    Args:
        connections: Open sockets, of programs and of browsers.
        viewers: Open pages that follow a view.
        views: Distinct views that they follow.
        subscriptions: Those of `/ws/metrics`.
        frames_per_s: Frames sent to all of them, mean of the last ten seconds.
        bytes_per_s: Bytes, likewise.
        outbox_high_water_bytes: The most that ever waited for one of them.
        send_p99_ms: 99 of 100 batches of the last minute were handed to all who get them within so many milliseconds;
            None when there was none.
        lag_p99_ms: How late the loop was at what was due, likewise.
        dropped: Frames that somebody didn't get, by reason; each was told, or got a fresh snapshot.
        refused: What was asked for and refused, by reason.
        ended: Connections that this side ended, by reason.
    """

    connections: int = 0
    viewers: int = 0
    views: int = 0
    subscriptions: int = 0
    frames_per_s: float = 0.0
    bytes_per_s: float = 0.0
    outbox_high_water_bytes: int = 0
    send_p99_ms: float | None = None
    lag_p99_ms: float | None = None
    dropped: Mapping[str, int] = field(default_factory=dict)
    refused: Mapping[str, int] = field(default_factory=dict)
    ended: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Vitals:
    """What one process says of itself.

    Args:
        process_id: Its number.
        started_at_ms: When it started, epoch milliseconds.
        memory_bytes: What it holds; None where the system doesn't tell.
        channel: The live channel.
        store: The database, as new metrics meet it.
    """

    process_id: int = 0
    started_at_ms: int = 0
    memory_bytes: int | None = None
    channel: ChannelVitals = field(default_factory=ChannelVitals)
    store: StoreHealth = field(default_factory=StoreHealth)


class VitalsQueries:
    """What is asked about the program itself: the part of `db.queries.Queries` that is about this.

    No database is asked, so none has to be there.
    """

    _read_vitals: Callable[[], Vitals] = Vitals

    def tell_vitals(self, read: Callable[[], Vitals]) -> None:
        """Say who knows them; to be said when the program is wired.

        Args:
            read: Returns them as they are now, from any thread.
        """
        self._read_vitals = read

    def vitals(self) -> Vitals:
        """Return them as they are now."""
        return self._read_vitals()
