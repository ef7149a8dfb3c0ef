"""Which commits the viewers of a process have, and which they are still to get: each once, whoever finds it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final

from live.carried import Commit

_GROUP_METRICS: Final = 2_000  # published in one call
_KEPT_KEYS: Final = 20_000

# What brought a commit: an era and the place in its order of the first batch that was published together with it.
Group = tuple[str, int]


class Commits:
    """The commits by their keys; who uses it sees to it that one thread at a time does."""

    def __init__(self) -> None:
        self._told: dict[str, Group | None] = {}  # None: brought by this process alone
        self._waiting: dict[str, Commit] = {}  # not brought yet
        self._pending: deque[Commit] = deque()  # those of them that have to be published
        self._due: dict[str, int] = {}  # those that are, and the place by which they come or are known as missing

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._waiting)

    @property
    def pending(self) -> bool:
        """Whether something has to be published."""
        return bool(self._pending)

    def add(self, commits: Iterable[Commit]) -> None:
        """Take commits that were found; those that came before are left out."""
        for commit in commits:
            if commit.metrics and commit.key not in self._told and commit.key not in self._waiting:
                self._waiting[commit.key] = commit
                self._pending.append(commit)

    def next_group(self) -> list[Commit]:
        """Take what is published next, together."""
        group: list[Commit] = []
        metrics = 0
        while self._pending and (not group or metrics + len(self._pending[0].metrics) <= _GROUP_METRICS):
            group.append(self._pending.popleft())
            metrics += len(group[-1].metrics)
        return group

    def publish_again(self) -> None:
        """Let everything that waits be published: on the stream it is taken once."""
        self._due.clear()
        self._pending = deque(self._waiting.values())

    def take_all(self) -> list[Commit]:
        """Take everything that waits, as brought by this process alone."""
        commits = list(self._waiting.values())
        for commit in commits:
            self.bring(commit.key, None)
        self._pending.clear()
        return commits

    def is_told(self, key: str) -> bool:
        """Return whether the viewers have a commit."""
        return key in self._told

    def is_new(self, group: Group, key: str) -> bool:
        """Return whether the viewers have nothing of a commit, or have it from this very group so far."""
        return self._told.get(key, group) == group

    def bring(self, key: str, group: Group | None) -> None:
        """Note that the viewers get a commit."""
        self._told.setdefault(key, group)
        self.give_up(key)
        while len(self._told) > _KEPT_KEYS:
            del self._told[next(iter(self._told))]

    def give_up(self, key: str) -> None:
        """Wait for a commit no longer."""
        self._waiting.pop(key, None)
        self._due.pop(key, None)

    def expect(self, commits: Sequence[Commit], order: int) -> None:
        """Note that commits are on the stream, up to a place in its order."""
        self._due.update((commit.key, order) for commit in commits)

    def give_up_due(self, order: int) -> None:
        """Wait no longer for what should have come up to a place: it was trimmed, and the viewers know of the gap."""
        for key in [key for key, due in self._due.items() if due <= order]:
            self.give_up(key)
