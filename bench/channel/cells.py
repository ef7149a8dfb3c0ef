"""All kinds at once with their viewers, measured in turns: what disturbs one disturbs the others alike."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from bench.channel.measured import Burst, Kind, Measured
from bench.storage.times import say


def measure(
    kinds: Sequence[Kind], *, viewers: int, rates_per_s: Sequence[float], batches: int, rounds: int
) -> dict[str, Any]:
    """Measure fan-out.

    Args:
        kinds: What is measured; the floor first.
        viewers: Of each kind.
        rates_per_s: Batches a second.
        batches: In one burst.
        rounds: Bursts of each kind and rate; every round goes through the kinds in another order.

    Returns:
        By kind: what a viewer costs; by kind (beside a busy thread, too) and rate: the times, and how often the
        floor's they are.
    """
    with ExitStack() as running:
        measured = []
        for kind in kinds:
            say(f"{kind.name}: {viewers} viewers connect")
            one = Measured(kind, viewers)
            running.callback(one.end)
            measured.append(one)
        found = {
            one.kind.name: {
                "rss_kb_a_viewer": round(one.rss_kb, 2),
                "rss_kb_a_viewer_with_what_handshakes_leave": round(one.rss_kb_with_garbage, 2),
                "accept_ms_a_viewer": round(one.accept_ms, 2),
            }
            for one in measured
        }
        return {"viewers": viewers, "costs": found} | {
            f"at_{rate:g}_per_s": _rate(measured, rate, batches, rounds) for rate in rates_per_s
        }


def _rate(measured: Sequence[Measured], rate: float, batches: int, rounds: int) -> dict[str, Any]:
    turns = [(one, busy) for one in measured for busy in ((False, True) if one.kind.busy else (False,))]
    bursts: dict[str, list[Burst]] = {_name(one, busy): [] for one, busy in turns}
    order = random.Random(1)
    for number in range(rounds):
        say(f"{rate:g} a second, round {number + 1} of {rounds}")
        for one, busy in order.sample(turns, len(turns)):
            bursts[_name(one, busy)].append(one.burst(batches, 1 / rate, busy=busy))
    floor = bursts[measured[0].kind.name]
    return {name: _summary(of, floor) for name, of in bursts.items()}


def _name(one: Measured, busy: bool) -> str:
    return one.kind.name + (" beside a busy thread" if busy else "")


def summary_ms(values: Sequence[float]) -> dict[str, float]:
    """Return median, 99th percentile (nearest rank) and maximum."""
    ordered = sorted(values)
    if not ordered:
        return {"n": 0, "p50": math.nan, "p99": math.nan, "max": math.nan}
    at_99 = ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]
    return {
        "n": len(ordered),
        "p50": round(statistics.median(ordered), 1),
        "p99": round(at_99, 1),
        "max": round(ordered[-1], 1),
    }


def _summary(bursts: Sequence[Burst], floor: Sequence[Burst]) -> dict[str, Any]:
    times = summary_ms([each for burst in bursts for each in burst.last_ms])
    least = summary_ms([each for burst in floor for each in burst.last_ms])
    rounds = [(summary_ms(one.last_ms), summary_ms(other.last_ms)) for one, other in zip(bursts, floor, strict=True)]
    return {
        "last_viewer_ms": times,
        "times_the_floor": {
            "p50": round(times["p50"] / least["p50"], 2),
            "p99": round(times["p99"] / least["p99"], 2),
            # Of each round by itself: a disturbance that hits one round doesn't decide.
            "p50_median_of_rounds": round(statistics.median(one["p50"] / other["p50"] for one, other in rounds), 2),
            "p99_median_of_rounds": round(statistics.median(one["p99"] / other["p99"] for one, other in rounds), 2),
        },
        "batches_per_s": round(statistics.median(burst.rate_per_s for burst in bursts), 2),
        "frames_missing": sum(burst.missing for burst in bursts),
        "frames_out_of_order": max(burst.wrong_order for burst in bursts),
        "server_cpu_ms_a_batch": round(statistics.median(burst.server_cpu_ms for burst in bursts), 1),
        "viewers_cpu_share": round(statistics.median(burst.viewers_cpu_share for burst in bursts), 3),
        "cpus_used_by_others": round(statistics.median(burst.loaded for burst in bursts), 2),
    }
