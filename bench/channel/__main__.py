"""Measure the channel: from publishing, and from a record call, to the last of many viewers; prints one JSON document.

Run: `python -m bench.channel` (some minutes; `--help` says what can be asked for). On a quiet machine, in full:
`python -m bench.channel --viewers 1000 5000 --rates 1 10 --batches 40 --rounds 5 --database sqlite mariadb
--road-seconds 20`.

Every kind runs in a process of its own, and so do its viewers (one loop that reads and counts, see `viewers`). All are
connected before anything is measured; then each publishes a burst in turn, in a new order each round, so that whatever
else the machine does hits all of them alike. What counts are the ratios to the floor, a C program that writes the same
bytes to the same number of sockets. `cpus_used_by_others` says how busy the machine was.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
from pathlib import Path
from shutil import which
from typing import Any

from bench.channel import cells, deaf, kinds, road
from bench.channel.wire import payload
from bench.storage.times import say
from web.serve import allow_many_sockets

_PARTS = ["fan_out", "deaf", "road"]


def main() -> None:
    """Run what is asked for, and print it."""
    options = _options()
    allow_many_sockets()
    with tempfile.TemporaryDirectory() as folder:
        document: dict[str, Any] = {
            "bench": "channel",
            "machine": {
                "cpus": os.cpu_count(),
                "python": platform.python_version(),
                "kernel": platform.release(),
                "load_average": os.getloadavg()[0],
            },
            "batch_bytes": len(payload(0)),
            "floor": "C" if which("cc") else "Python",
        }
        if "fan_out" in options.parts:
            document["fan_out"] = []
            for viewers in options.viewers:
                known = kinds.every_kind(Path(folder), viewers)
                chosen = [kind for name, kind in known.items() if name == "floor" or name in (options.kinds or known)]
                document["fan_out"].append(
                    cells.measure(
                        chosen,
                        viewers=viewers,
                        rates_per_s=options.rates,
                        batches=options.batches,
                        rounds=options.rounds,
                    )
                )
        if "deaf" in options.parts:
            say("one that never reads")
            ours = kinds.every_kind(Path(folder), options.road_viewers)["ours"]
            document["one_never_reads"] = deaf.measure(
                ours, viewers=options.road_viewers, rate_per_s=10, batches=options.batches, rounds=options.rounds
            )
        if "road" in options.parts:
            document["record_to_last_viewer"] = {
                "viewers": options.road_viewers,
                "metrics_per_s": options.metrics_per_s,
                **road.measure(
                    databases=options.database,
                    viewers=options.road_viewers,
                    per_s=options.metrics_per_s,
                    seconds=options.road_seconds,
                    flush_intervals_s=options.flush_intervals,
                    rounds=options.rounds,
                ),
            }
        document["machine"]["load_average_after"] = os.getloadavg()[0]
    print(json.dumps(document, indent=2))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--viewers", type=int, nargs="+", default=[500], help="of each kind")
    parser.add_argument("--rates", type=float, nargs="+", default=[10], help="batches a second")
    parser.add_argument("--batches", type=int, default=20, help="in one burst")
    parser.add_argument("--rounds", type=int, default=2, help="bursts of each kind and rate")
    parser.add_argument("--kinds", nargs="+", help="only these (and the floor)")
    parser.add_argument(
        "--parts",
        nargs="+",
        default=_PARTS,
        choices=_PARTS,
        help="only these",
    )
    parser.add_argument("--database", nargs="+", default=["sqlite"], choices=["sqlite", "mariadb"], help="of the road")
    parser.add_argument("--road-viewers", type=int, default=1_000, help="at the end of the road, and beside a deaf one")
    parser.add_argument("--road-seconds", type=float, default=5.0, help="in one round")
    parser.add_argument("--metrics-per-s", type=float, default=100.0, help="recorded on the road")
    parser.add_argument(
        "--flush-intervals", type=float, nargs="+", default=[0.05, 0.01], help="the collector's, in seconds"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
