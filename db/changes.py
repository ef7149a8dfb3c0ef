"""Which minutes changed since when: what lets an answer that was found before be given again."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable

from db.cells import MINUTE_MS

_MAX_REMEMBERED_MINUTES = 20_000


class Changes:
    """Numbers the changes; the last 20,000 minutes that changed are known one by one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # protects everything below
        self._version = 0
        self._changed: dict[int, int] = {}  # minute -> version of its last change, rising
        self._forgotten_version = 0  # changes up to this one aren't in _changed any more

    @property
    def version(self) -> int:
        """A number that grows whenever a minute changes."""
        with self._lock:
            return self._version

    def note(self, minutes: Iterable[int]) -> None:
        """Note that minutes have changed.

        Args:
            minutes: Their starts in epoch ms.
        """
        with self._lock:
            self._version += 1
            for minute in minutes:
                self._changed.pop(minute, None)
                self._changed[minute] = self._version
            if len(self._changed) > _MAX_REMEMBERED_MINUTES:
                versions = sorted(self._changed.values())
                self._forgotten_version = versions[len(versions) // 2]
                self._changed = {
                    minute: version for minute, version in self._changed.items() if version > self._forgotten_version
                }

    def since(self, version: int) -> tuple[int, Collection[int] | None]:
        """Return which minutes may have changed after a version was read.

        Args:
            version: An earlier value of `version`.

        Returns:
            (the version now, starts of minutes in epoch ms or None when it is too long ago to say).
        """
        with self._lock:
            if version < self._forgotten_version:
                return self._version, None
            changed: list[int] = []
            for minute in reversed(self._changed):  # the last change comes last
                if self._changed[minute] <= version:
                    break
                changed.append(minute)
            return self._version, changed

    def touch(self, version: int, start_ms: int, end_ms: int) -> bool:
        """Say whether a minute of [start_ms, end_ms) may have changed after a version was read.

        Args:
            version: An earlier value of `version`.
            start_ms: Epoch ms.
            end_ms: Epoch ms.
        """
        changed = self.since(version)[1]
        return changed is None or any(start_ms - MINUTE_MS < minute < end_ms for minute in changed)
