"""Where a client of the public channel stopped: what it follows, and the seq of the last batch of each source."""

from __future__ import annotations

from typing import Any

from live.protocol import EVERYTHING

Message = dict[str, Any]


class Resume:
    """Remember subscriptions and seqs, so that a new connection goes on exactly where the last one ended.

    `*` has a seq of its own, the place in the whole channel's order: the server says it when it answers `subscribed`
    or `gap`, and each batch that comes is one more.
    """

    def __init__(self) -> None:
        self._last: dict[str, int | None] = {}  # followed source -> seq of its last batch
        self._seen: dict[str, int] = {}  # any source -> seq of the newest batch that came
        self._resuming: set[str] = set()  # asked for what was missed: `subscribed` tells a seq that is still to come

    def follow(self, source: str, since: int | None) -> None:
        """Follow a source.

        Args:
            source: Its name, or `*`.
            since: Go on after this seq, None to begin with what comes next.
        """
        self._last[source] = since
        if since is not None:
            self._resuming.add(source)
            self._seen.pop(source, None)

    def leave(self, source: str) -> None:
        """Follow a source no longer."""
        self._last.pop(source, None)
        self._resuming.discard(source)

    def sources(self) -> list[str]:
        """Return what is followed, by name."""
        return sorted(self._last)

    def requests(self) -> list[Message]:
        """Return the messages that a new connection begins with: `*` first, it brings what the others missed, too."""
        everything = self._last.get(EVERYTHING) is not None
        messages = []
        for source in sorted(self._last, key=lambda name: (name != EVERYTHING, name)):
            since = self._last[source]
            message: Message = {"type": "subscribe", "scraperSource": source}
            if since is not None and (source == EVERYTHING or not everything):
                message["since"] = since
                self._resuming.add(source)
            messages.append(message)
        return messages

    def told(self, message: Message) -> None:
        """Take a `subscribed` or a `gap`: from here on counts what the server says.

        Args:
            message: It.
        """
        source, seq = str(message.get("scraperSource")), message.get("seq")
        if source not in self._last or not isinstance(seq, int):
            return
        if message.get("type") == "subscribed" and source in self._resuming:
            self._resuming.discard(source)  # what was missed follows, or a gap does
            return
        if message.get("type") == "gap" or self._last[source] is None:
            self._last[source] = seq
            if message.get("type") == "gap" and source == EVERYTHING:
                self._seen.clear()
            elif message.get("type") == "gap":
                self._seen.pop(source, None)

    def is_new(self, batch: Message) -> bool:
        """Note a batch; return whether it hasn't come before.

        Args:
            batch: A `metrics_batch`.
        """
        source, seq = str(batch.get("scraperSource")), batch.get("seq")
        if not isinstance(seq, int):
            return True
        everything = self._last.get(EVERYTHING)
        if everything is not None:
            self._last[EVERYTHING] = everything + 1
        if seq <= self._seen.get(source, -1):
            return False
        self._seen[source] = seq
        if source in self._last:
            self._last[source] = seq
        return True
