"""Which open page (Dash calls it a renderer) is reached over which connection."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable

from live.connection import Connection
from live.frames import for_renderers
from live.hub import Hub


class Renderers:
    """Find a renderer's connection; forget renderers that a closed tab left behind.

    A browser has one socket for all its tabs, and doesn't say when a tab closes. Each page therefore renews a lease;
    a renderer that hasn't for `lease_s` is gone (background tabs wake up once a minute at least).
    """

    def __init__(self, hub: Hub, *, lease_s: float = 180.0, most_per_connection: int = 100) -> None:
        """Start with none.

        Args:
            hub: owns the connections.
            lease_s: how long a page may be silent, in seconds.
            most_per_connection: open pages of one browser; each may cost a view, so there is a bound.
        """
        self.hub = hub
        self.lease_s = lease_s
        self.most_per_connection = most_per_connection
        self._lock = threading.Lock()  # protects _connections and _seen_s
        self._connections: dict[str, Connection] = {}
        self._seen_s: dict[str, float] = {}

    def seen(self, renderer_id: str, connection: Connection) -> bool:
        """Note that a renderer speaks over a connection; False when that connection has too many of them already."""
        with self._lock:
            if self._connections.get(renderer_id) is not connection:
                others = sum(its is connection for its in self._connections.values())
                if others >= self.most_per_connection:
                    return False
            self._connections[renderer_id] = connection
            self._seen_s[renderer_id] = time.monotonic()
            return True

    def reaches(self, renderer_id: str) -> bool:
        """Say whether a renderer has a connection."""
        with self._lock:
            return renderer_id in self._connections

    def of(self, connection: Connection) -> list[str]:
        """Return the renderers of a connection."""
        with self._lock:
            return [renderer for renderer, its in self._connections.items() if its is connection]

    def forget(self, renderer_ids: Iterable[str]) -> None:
        """Forget renderers."""
        with self._lock:
            for renderer_id in renderer_ids:
                self._connections.pop(renderer_id, None)
                self._seen_s.pop(renderer_id, None)

    def expired(self) -> list[str]:
        """Return the renderers whose lease has run out."""
        limit = time.monotonic() - self.lease_s
        with self._lock:
            return [renderer for renderer, seen_s in self._seen_s.items() if seen_s < limit]

    def send(self, renderer_ids: Iterable[str], payload: bytes) -> None:
        """Send a payload to renderers, from any thread; nothing happens to those that are gone.

        Args:
            renderer_ids: Who gets it.
            payload: With frames.RENDERER in the place of each one's id.
        """
        with self._lock:
            found = [(name.encode(), self._connections[name]) for name in renderer_ids if name in self._connections]
        # Dash's ids are all of one length; others can't share a frame.
        for length in {len(name) for name, _ in found}:
            names = [name for name, _ in found if len(name) == length]
            connections = [connection for name, connection in found if len(name) == length]
            self.hub.call(self.hub.write_filled, connections, for_renderers(payload, length), names)
