"""The Redis stream that carries batches between processes: numbered and kept in one order by Redis itself."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeout
from redis.retry import Retry

# Part of every key's name: programs that understand each other's messages.
FORMAT: Final = 1
READ_MESSAGES: Final = 100

# Joins the era that is, or begins one: when Redis knows none (it is new, or lost its data), or when this process'
# clients have seen higher numbers than it began with (those of a time alone), because numbers never go back.
_JOIN: Final = """
local era = redis.call('HGET', KEYS[1], 'era')
if not era or tonumber(redis.call('HGET', KEYS[1], 'base')) < tonumber(ARGV[3]) then
  local order = tonumber(redis.call('HGET', KEYS[1], 'order') or '0')
  local base = tonumber(ARGV[2])
  while base <= order do base = base + tonumber(ARGV[4]) end
  base = string.format('%.0f', base)
  era = ARGV[1]
  redis.call('HSET', KEYS[1], 'era', era, 'base', base, 'order', base)
  redis.call('DEL', KEYS[2])
end
local last = redis.call('XREVRANGE', KEYS[3], '+', '-', 'COUNT', 1)[1]
local at = redis.call('HMGET', KEYS[1], 'base', 'order')
return {era, at[1], at[2], last and last[1] or '0-0', redis.call('HGETALL', KEYS[2])}
"""

# Numbers and adds batches, all or none: none when one of their commits is on the stream already.
_PUBLISH: Final = """
if redis.call('HGET', KEYS[1], 'era') ~= ARGV[1] then return {'era'} end
local keys = tonumber(ARGV[5])
local told = {}
for i = 6, 5 + keys do
  if redis.call('ZSCORE', KEYS[4], ARGV[i]) then told[#told + 1] = ARGV[i] end
end
if #told > 0 then return {'told', redis.call('HGET', KEYS[1], 'order'), told} end
for i = 6, 5 + keys do
  redis.call('ZADD', KEYS[4], redis.call('HINCRBY', KEYS[1], 'told', 1), ARGV[i])
end
redis.call('ZREMRANGEBYRANK', KEYS[4], 0, -1 - tonumber(ARGV[4]))
local base = redis.call('HGET', KEYS[1], 'base')
local size = tonumber(redis.call('HGET', KEYS[1], 'size') or '0')
local group = ''
for i = 6 + keys, #ARGV, 5 do
  redis.call('HSETNX', KEYS[2], ARGV[i], base)
  local seq = string.format('%.0f', redis.call('HINCRBY', KEYS[2], ARGV[i], 1))
  local order = string.format('%.0f', redis.call('HINCRBY', KEYS[1], 'order', 1))
  if group == '' then group = order end
  redis.call('XADD', KEYS[3], '*', 'e', ARGV[1], 'o', order, 'g', group, 'r', (#ARGV - i - 4) / 5,
    's', ARGV[i], 'q', seq, 'n', ARGV[i + 1], 't', ARGV[i + 2], 'k', ARGV[i + 3], 'm', ARGV[i + 4])
  size = size > 0 and size + (#ARGV[i + 4] - size) / 100 or #ARGV[i + 4]
end
redis.call('HSET', KEYS[1], 'size', string.format('%.0f', size))
local keep = math.min(tonumber(ARGV[2]), math.floor(tonumber(ARGV[3]) / (size + 1)))
redis.call('XTRIM', KEYS[3], 'MAXLEN', '~', math.max(keep, 100))
return {'ok', redis.call('HGET', KEYS[1], 'order')}
"""


class StreamLost(Exception):  # noqa: N818 - it says what happened, and is no mistake of anybody
    """Redis doesn't answer, or not as it should; the text is one line without a password."""

    def __init__(self, reason: str, *, timed_out: bool = False) -> None:
        super().__init__(reason)
        self.timed_out = timed_out  # the next question would take as long


class RedisRefused(Exception):  # noqa: N818 - as above
    """Redis answers that this URL can't be used; one line for the operator."""


@dataclass(frozen=True, slots=True)
class Message:
    """One batch on the stream: its place in the era's order, its source's seq, and its metrics as JSON."""

    id: bytes
    era: str
    order: int
    group: int  # the order of the first one of those that were published together
    rest: int  # how many of those are still to come
    source: str
    seq: int
    count: int
    timestamp_ms: int
    keys: tuple[tuple[str, int], ...]  # (key of a commit, how many of the metrics are from it), in their order
    metrics: bytes  # a JSON list


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A batch that has no numbers yet."""

    source: str
    count: int
    timestamp_ms: int
    keys: tuple[tuple[str, int], ...]
    metrics: bytes


@dataclass(frozen=True, slots=True)
class Standing:
    """How far an era has come."""

    era: str
    base: int  # seqs of sources that it hasn't heard of
    order: int
    last_id: bytes
    seqs: dict[str, int]


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of batches that were published."""

    order: int = 0  # they, or those that were told already, are not after this place
    told: frozenset[str] = frozenset()  # not published, because these commits are on the stream already
    era_ended: bool = False  # not published: join again


class RedisStream:
    """One stream of one database; safe in several threads.

    Args:
        url: As in SCRAPEBOARD_REDIS_URL.
        name: What all processes on one database call their stream.
        patience_s: How long Redis may take to answer.
        keep_batches: How many batches are kept for processes that come back.
        keep_bytes: How much memory they may take there, roughly.
        keep_keys: How many commits are remembered as published.

    Raises:
        RedisRefused: The URL can't be understood.
    """

    def __init__(
        self,
        url: str,
        *,
        name: str,
        patience_s: float = 2.0,
        keep_batches: int = 10_000,
        keep_bytes: int = 64 << 20,
        keep_keys: int = 20_000,
    ) -> None:
        self.patience_s = patience_s
        self._bounds = (keep_batches, keep_bytes, keep_keys)
        try:
            _check_number(url)
            # Without retries: who doesn't notice that Redis was away doesn't notice what it lost either.
            once = Retry(NoBackoff(), 0)
            self._redis = Redis.from_url(
                url, socket_timeout=patience_s, socket_connect_timeout=patience_s, retry=once, protocol=2
            )
            settings: Any = self._redis.connection_pool.make_connection()  # connects to nobody, but reads every option
        except Exception as exc:
            # Whatever it says of the URL may have a part of the password in it.
            raise RedisRefused("SCRAPEBOARD_REDIS_URL can't be used: it takes redis://HOST:PORT/0") from exc
        path = getattr(settings, "path", None)
        self.where = path or f"{getattr(settings, 'host', '?')}:{getattr(settings, 'port', '?')}/{settings.db}"
        prefix = f"scrapeboard:{{{name}}}:{FORMAT}:"
        self._state, self._seqs, self._stream, self._told = (
            (prefix + part).encode() for part in ("state", "seqs", "stream", "told")
        )
        self._join = self._redis.register_script(_JOIN)
        self._publish = self._redis.register_script(_PUBLISH)

    def check(self) -> None:
        """Ask Redis whether the URL is right; that nobody answers is none of this method's business.

        Raises:
            RedisRefused: The password or the database's number is wrong.
        """
        try:
            self._redis.ping()
        except AuthenticationError as exc:
            raise RedisRefused(f"Redis at {self.where} refuses the user or password of SCRAPEBOARD_REDIS_URL") from exc
        except ResponseError as exc:
            if "DB index" in str(exc) or "NOAUTH" in str(exc) or "WRONGPASS" in str(exc):
                raise RedisRefused(f"Redis at {self.where} refuses SCRAPEBOARD_REDIS_URL: {exc}") from exc
        except (RedisError, OSError):
            return

    def join(self, *, base: int, above: int, step: int) -> Standing:
        """Join the era, or begin one.

        Args:
            base: Where a new era's numbers begin.
            above: An era whose numbers begin below isn't joined but ended.
            step: How far a new era's numbers go up until they are above those of the one before.

        Raises:
            StreamLost: Redis doesn't answer.
        """
        with _lost():
            era, first, order, last_id, seqs = self._join(
                keys=[self._state, self._seqs, self._stream], args=[uuid.uuid4().hex, base, above, step]
            )
        pairs = iter(seqs)
        known = {source.decode(): int(seq) for source, seq in zip(pairs, pairs, strict=True)}
        return Standing(era.decode(), int(first), int(order), last_id, known)

    def publish(self, era: str, batches: Sequence[Outgoing]) -> Answer:
        """Put batches on the stream, all or none.

        Args:
            era: The era that was joined.
            batches: At least one.

        Raises:
            StreamLost: Redis doesn't answer; they may be on the stream or not, and may be published again.
        """
        keys = list({key: None for batch in batches for key, _ in batch.keys})
        args: list[Any] = [era, *self._bounds, len(keys), *keys]
        for batch in batches:
            origin = ",".join(f"{key}={count}" for key, count in batch.keys)
            args += [batch.source.encode("utf-8", "replace"), batch.count, batch.timestamp_ms, origin, batch.metrics]
        with _lost():
            said = self._publish(keys=[self._state, self._seqs, self._stream, self._told], args=args)
        if said[0] == b"era":
            return Answer(era_ended=True)
        return Answer(int(said[1]), frozenset(key.decode() for key in said[2]) if said[0] == b"told" else frozenset())

    def read(self, after: bytes) -> list[Message]:
        """Wait for what is on the stream after a message.

        Args:
            after: Its id.

        Returns:
            The next messages, never a part only of what was published together; none when none came for a while.

        Raises:
            StreamLost: Redis doesn't answer.
        """
        block_ms = int(self.patience_s * 250)
        messages: list[Message] = []
        with _lost():
            while not messages or messages[-1].rest:
                said: Any = self._redis.xread({self._stream: after}, count=READ_MESSAGES, block=block_ms)
                if not said:
                    break
                messages += [_message(id, fields) for _, found in said for id, fields in found]
                after = messages[-1].id
        return messages

    def between(self, after: bytes, last: bytes) -> Iterator[Message]:
        """Read what is on the stream after a message, up to another one.

        Args:
            after: The id of the first one, which isn't read.
            last: The id of the other.

        Raises:
            StreamLost: Redis doesn't answer.
        """
        while True:
            with _lost():
                said: Any = self._redis.xrange(self._stream, b"(" + after, last, count=READ_MESSAGES)
                messages = [_message(id, fields) for id, fields in said]
            yield from messages
            if len(messages) < READ_MESSAGES:
                return
            after = messages[-1].id

    def backwards(self, last: bytes) -> Iterator[Message]:
        """Read the stream from a message back to its beginning, for as long as the caller wants.

        Args:
            last: The id of the message.

        Raises:
            StreamLost: Redis doesn't answer.
        """
        upto = last
        while True:
            with _lost():
                said: Any = self._redis.xrevrange(self._stream, upto, "-", count=READ_MESSAGES)
                messages = [_message(id, fields) for id, fields in said]
            yield from messages
            if len(messages) < READ_MESSAGES:
                return
            upto = b"(" + messages[-1].id

    def position(self) -> tuple[str, int]:
        """Return the era and how far it has come; ("", 0) when Redis knows of none.

        Raises:
            StreamLost: Redis doesn't answer.
        """
        with _lost():
            said: Any = self._redis.hmget(self._state, ["era", "order"])
        era, order = said
        return (era.decode(), int(order)) if era and order else ("", 0)

    def close(self) -> None:
        """Close the connections."""
        self._redis.close()


def _check_number(url: str) -> None:
    parts = urlsplit(url)
    number = parts.path.strip("/")
    if parts.scheme != "unix" and number and not number.isdecimal():  # redis-py would take the first database
        raise ValueError("the path is no number of a database")


@contextmanager
def _lost() -> Iterator[None]:
    try:
        yield
    except (RedisError, OSError, ValueError, KeyError) as exc:  # the last two: somebody else's message
        reason = " ".join(str(exc).split()) or type(exc).__name__
        raise StreamLost(reason, timed_out=isinstance(exc, (RedisTimeout, TimeoutError))) from exc


def _message(id: bytes, fields: dict[bytes, bytes]) -> Message:
    keys = (key.rpartition("=") for key in fields[b"k"].decode().split(","))
    return Message(
        id, fields[b"e"].decode(), int(fields[b"o"]), int(fields[b"g"]), int(fields[b"r"]), fields[b"s"].decode(),
        int(fields[b"q"]), int(fields[b"n"]), int(fields[b"t"]), tuple((key, int(count)) for key, _, count in keys),
        fields[b"m"],
    )  # fmt: skip
