"""One viewer among many that never reads: do the others notice, is its memory bounded, is it told?"""

from __future__ import annotations

import statistics
from typing import Any

from bench.channel.cells import summary_ms
from bench.channel.measured import Burst, Kind, Measured, rss_bytes


def _in_turns(servers: dict[str, Measured], batches: int, rate_per_s: float, rounds: int) -> dict[str, list[Burst]]:
    bursts: dict[str, list[Burst]] = {name: [] for name in servers}
    for number in range(rounds):
        turns = list(servers.items())
        for name, one in turns if number % 2 else reversed(turns):
            bursts[name].append(one.burst(batches, 1 / rate_per_s))
    return bursts


def _times(bursts: list[Burst]) -> dict[str, float]:
    return summary_ms([each for burst in bursts for each in burst.last_ms])


def _change(before: dict[str, list[Burst]], after: dict[str, list[Burst]], name: str) -> float:
    """Return how often the time before it is the time after, the other server's change taken out; medians of rounds."""

    def typical(bursts: list[Burst]) -> float:
        return statistics.median(summary_ms(burst.last_ms)[name] for burst in bursts)

    elsewhere = typical(after["elsewhere"]) / typical(before["elsewhere"])
    return round(typical(after["here"]) / typical(before["here"]) / elsewhere, 2)


def measure(kind: Kind, *, viewers: int, rate_per_s: float, batches: int, rounds: int) -> dict[str, Any]:
    """Measure two servers in turns, before and after one of them has a viewer whose buffers are full.

    Args:
        kind: Ours.
        viewers: Who read, of each.
        rate_per_s: Batches a second.
        batches: In a burst.
        rounds: Bursts of each.

    Returns:
        The others' times before and after, the outbox, and what it hears when it reads again.
    """
    plain = Measured(kind, viewers)
    try:
        deaf = Measured(kind, viewers)
    except BaseException:
        plain.end()
        raise
    try:
        assert deaf.viewers is not None
        before = _in_turns({"here": deaf, "elsewhere": plain}, batches, rate_per_s, rounds)
        deaf.viewers.ask("stuck")
        weight = rss_bytes(deaf.pids)
        deaf.server.ask("flood")
        grown = rss_bytes(deaf.pids) - weight
        after = _in_turns({"here": deaf, "elsewhere": plain}, batches, rate_per_s, rounds)
        stats = deaf.server.ask("stats")
        return {
            "others_last_viewer_ms": {"all_read": _times(before["here"]), "one_never_reads": _times(after["here"])},
            "another_server_meanwhile_ms": {
                "all_read": _times(before["elsewhere"]),
                "all_read_there_still": _times(after["elsewhere"]),
            },
            # What changed meanwhile for a server whose viewers all read is the machine's doing.
            "p50_changed_by": _change(before, after, "p50"),
            "p99_changed_by": _change(before, after, "p99"),
            "others_missing": sum(burst.missing for burst in after["here"]),
            "frames_dropped": stats["dropped"],
            "outbox_high_water_bytes": stats["outbox_high_water_bytes"],
            "outbox_limit_bytes": stats["outbox_limit_bytes"],
            "rss_grown_kb": round(grown / 1024),
            "when_it_reads_again": deaf.viewers.ask("read on"),
        }
    finally:
        plain.end()
        deaf.end()
