"""One attempt to tell a channel something: by apprise or by webhook, and never longer than the deadline."""

from __future__ import annotations

from collections.abc import Callable

from alerts.channels import Channel, ChannelSecret
from alerts.delivery.attempt import DEADLINE_S, Attempt, Hanging, bounded
from alerts.delivery.by_apprise import send_by_apprise
from alerts.delivery.parcel import Parcel, Told
from alerts.delivery.webhook import send_webhook
from alerts.quiet import keep_quiet
from alerts.texts import Texts, sample_notice
from db.clock import now_ms


def send(
    parcel: Parcel,
    secret: ChannelSecret,
    texts: Texts,
    *,
    deadline_s: float = DEADLINE_S,
    hanging: Hanging | None = None,
    late: Callable[[Attempt], object] | None = None,
) -> Attempt:
    """Make one attempt to deliver a message.

    Args:
        parcel: What is told, and which channel it goes to.
        secret: The channel's address.
        texts: Who writes.
        deadline_s: How long it may take.
        hanging: See `attempt.bounded`.
        late: See `attempt.bounded`.
    """
    if not secret.url:
        return Attempt(False, "the channel has no address", permanent=True)
    keep_quiet("urllib3")
    way = send_webhook if parcel.channel.kind == "webhook" else send_by_apprise
    return bounded(lambda: way(parcel, secret, texts), deadline_s=deadline_s, hanging=hanging, late=late)


def try_channel(
    channel: Channel, secret: ChannelSecret, *, texts: Texts, deadline_s: float = DEADLINE_S, at_ms: int | None = None
) -> Attempt:
    """Send a test now, whether the channel is stored and switched on or not.

    Args:
        channel: The channel.
        secret: Its address.
        texts: Who writes.
        deadline_s: How long it may take: the caller waits.
        at_ms: The moment, epoch ms; now by default.
    """
    moment_ms = now_ms() if at_ms is None else at_ms
    told = Told(f"test-{channel.id}-{moment_ms}", sample_notice(moment_ms))
    return send(Parcel(channel, (told,)), secret, texts, deadline_s=deadline_s)
