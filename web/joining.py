"""What joins this process with others on the same database: Redis, when the operator has one."""

from __future__ import annotations

from db.follow import Follower
from db.ingest_log import entry_key
from db.store import Store
from live.backplane import Backplane
from live.channel import Channel
from live.stream import RedisStream


def make_backplane(url: str, identity: int, store: Store, follower: Follower, channel: Channel) -> Backplane:
    """Make what joins this process with others on the same database.

    Args:
        url: Redis' URL.
        identity: The database's number.
        store: Who stores.
        follower: Who follows what others store.
        channel: The live channel.

    Raises:
        RedisRefused: The URL can't be used.
    """
    own = entry_key(store.writer, 0).removesuffix("0")
    stream = RedisStream(url, name=str(identity))
    stream.check()
    return Backplane(stream, channel, wake=follower.wake, is_own=lambda key: key.startswith(own))
