"""Kill a node of a Galera cluster of three under load, and count what was acknowledged: `python -m bench.galera_drill`.

Two apps store through different nodes, every fifth batch through both at once (as a scraper that repeats itself would);
a third thread asks the questions of a page all the time. The result is one JSON document; its `lost`, `twice` and
`torn` must be 0. The nodes are private: loopback, free ports, own directories.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import shutil
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any, Self

from sqlalchemy import event, text
from sqlalchemy.engine import Engine

from collector.errors import SinkUnavailable
from collector.events import PageNavigation
from collector.sinks import Batch
from db.clock import now_ms
from db.engine import make_engine
from db.errors import DatabaseError
from db.migrate import upgrade
from db.queries import Queries
from db.recent import RecentDetail
from db.results import TimeRange
from db.rollups import Rollups
from db.store import Store
from tests.servers import PrivateMariaDB, ServerFailedError, ServerMissingError, free_port

PROVIDERS = ("/usr/lib/galera/libgalera_smm.so", "/usr/lib64/galera-4/libgalera_smm.so")
BATCH_ROWS = 50
SENDERS = 2  # for each app


class GaleraNode(PrivateMariaDB):
    """One node; the first one that is started makes the cluster, the others copy its data (rsync)."""

    name = "galera"

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.group_port = free_port()
        self._transfer_ports = (free_port(), free_port())
        self.peers: list[GaleraNode] = []
        self.bootstraps = False
        self.suspect_s = 5.0

    def prepare(self) -> None:
        """Make the data directory; as root, for the user `mysql`: root's rsync would write as `nobody`."""
        super().prepare()
        if os.geteuid() == 0:
            for path in (self.directory, *self.directory.rglob("*")):
                shutil.chown(path, "mysql", "mysql")

    def command(self) -> list[str]:
        """Return the command line."""
        provider = next((path for path in PROVIDERS if Path(path).exists()), None)
        if provider is None:
            raise ServerMissingError("Galera is not installed, and this drill needs it: apt-get install galera-4 rsync")
        words = ["--user=mysql" if word == "--user=root" else word for word in super().command()]
        if not self.bootstraps:  # its users come from the cluster
            words = [word for word in words if not word.startswith("--init-file")]
        group = ",".join(f"127.0.0.1:{node.group_port}" for node in self.peers)
        state, increment = self._transfer_ports
        return [
            *words, "--wsrep-on=ON", f"--wsrep-provider={provider}", f"--wsrep-cluster-address=gcomm://{group}",
            "--wsrep-cluster-name=drill", f"--wsrep-node-name=node-{self.port}",
            f"--wsrep-node-address=127.0.0.1:{self.group_port}", "--wsrep-sst-method=rsync",
            f"--wsrep-sst-receive-address=127.0.0.1:{state}", "--binlog-format=ROW", "--innodb-autoinc-lock-mode=2",
            "--wsrep-provider-options=" + ";".join([
                f"gmcast.listen_addr=tcp://127.0.0.1:{self.group_port}", f"ist.recv_addr=127.0.0.1:{increment}",
                f"gcache.dir={self.datadir}", "gcache.size=64M", f"evs.suspect_timeout=PT{self.suspect_s:g}S",
                f"evs.keepalive_period=PT{self.suspect_s / 5:g}S",
            ]),
            *(["--wsrep-new-cluster"] if self.bootstraps else []),
        ]  # fmt: skip

    def start(self) -> Self:
        """Start the node; Galera 4's own start sometimes fails over the priority of one of its threads."""
        for _ in range(3):
            with contextlib.suppress(ServerFailedError):
                return super().start()
        return super().start()

    def answers(self) -> bool:
        """Say whether the node is part of the cluster and takes statements."""
        with contextlib.suppress(Exception):
            return self.status("wsrep_ready") == "ON"
        return False

    def status(self, name: str) -> str:
        """Return one of the server's status values."""
        return str(self.execute(f"SHOW STATUS LIKE '{name}'")[0][1])


class Drill:
    """The load, and what became of it.

    Args:
        nodes: Three running nodes.
    """

    def __init__(self, nodes: list[GaleraNode]) -> None:
        self.nodes = nodes
        self.lock = threading.Lock()  # protects everything that the threads write down below
        self.acknowledged: Counter[str] = Counter()
        self.moments_s: dict[int, list[float]] = {0: [], 1: []}  # when app 0 and app 1 got an answer
        self.refused: Counter[str] = Counter()
        self.reads_s: list[float] = []
        self.read_failures: list[tuple[float, str]] = []
        self.conflicts = 0
        self.engines = [self._engine(0), self._engine(1)]
        upgrade(self.engines[0])
        self.stores = [Store(engine) for engine in self.engines]
        self.recent = RecentDetail()
        self.rollups = Rollups(self.engines[0])
        self.stores[0].subscribe(self.recent.append)
        self.stores[0].subscribe(self.rollups.mark)
        self.queries = Queries(self.engines[0], self.recent, rollups=self.rollups)
        self.stop = threading.Event()

    def _engine(self, first: int) -> Engine:
        order = self.nodes[first:] + self.nodes[:first]
        hosts = ",".join(f"127.0.0.1:{node.port}" for node in order)
        node = self.nodes[0]
        engine = make_engine(url=f"mysql://{node.user}:{node.password}@{hosts}/metrics", io_timeout_s=10)

        @event.listens_for(engine, "handle_error")
        def _count(context: Any) -> None:
            if getattr(context.original_exception, "args", ())[:1] == (1213,):
                with self.lock:
                    self.conflicts += 1

        return engine

    def send(self, app: int, name: str) -> None:
        """Store batches one after the other, each until it is acknowledged, as the collector does."""
        number = 0
        while not self.stop.is_set():
            # Every fifth has the same id in both apps.
            batch_id = f"both-{name[-1]}-{number}" if number % 5 == 0 else f"{name}-{number}"
            at_ms = now_ms()
            metric = PageNavigation(name, f"https://a.test/{batch_id}", 12.5, True, 0, None, 200, at_ms)
            batch = Batch(batch_id, (metric,) * BATCH_ROWS)
            while True:
                try:
                    self.stores[app].send(batch)
                    break
                except SinkUnavailable as exc:
                    with self.lock:
                        self.refused[str(exc).split("unavailable: ")[-1][:90]] += 1
                    time.sleep(0.02)
            with self.lock:
                self.acknowledged[batch_id] += 1
                self.moments_s[app].append(time.monotonic())
            number += 1

    def read(self) -> None:
        """Ask what a page asks, again and again."""
        while not self.stop.is_set():
            end_ms = now_ms() // 60_000 * 60_000 + 60_000
            try:
                self.queries.overview(TimeRange(end_ms - 3_600_000, end_ms, 60_000))  # from memory, mostly
                self.queries.events(None, limit=50)  # from the database
            except DatabaseError as exc:
                with self.lock:
                    self.read_failures.append((time.monotonic(), str(exc)))
            else:
                self.reads_s.append(time.monotonic())
            time.sleep(0.02)

    def run(self, seconds: float) -> dict[str, Any]:
        """Load the cluster, kill the first node after a third of the time, bring it back after two thirds."""
        threads = [
            threading.Thread(target=self.send, args=(app, f"app{app}-sender{number}"))
            for app in range(2)
            for number in range(SENDERS)
        ]
        threads.append(threading.Thread(target=self.read))
        self.rollups.start(1.0)
        for thread in threads:
            thread.start()
        loaded_s = time.monotonic() + 1.0  # the first second is for warming up
        time.sleep(seconds / 3)
        killed_s = time.monotonic()
        self.nodes[0].kill()
        time.sleep(seconds / 3)
        begun_s = time.monotonic()
        self.nodes[0].start()
        back_s = time.monotonic() - begun_s
        time.sleep(seconds / 3)
        self.stop.set()
        for thread in threads:
            thread.join()
        self.rollups.stop()
        while self.rollups.run_once():
            pass
        return {
            "acknowledged_batches": len(self.acknowledged),
            "acknowledged_by_both_apps": sum(count > 1 for count in self.acknowledged.values()),
            "rows_per_batch": BATCH_ROWS,
            "refused_then_sent_again": dict(self.refused),
            "conflicts_1213": self.conflicts,
            "longest_pause_s": {
                what: {
                    "killed_nodes_app": _longest(self.moments_s[0], start_s, end_s),
                    "other_app": _longest(self.moments_s[1], start_s, end_s),
                    "reads": _longest(self.reads_s, start_s, end_s),
                }
                for what, start_s, end_s in (
                    ("before", loaded_s, killed_s),
                    ("after_the_kill", killed_s, begun_s),
                    ("while_the_node_rejoins", begun_s, begun_s + back_s),
                )
            },
            "reads": len(self.reads_s),
            "reads_failed": len(self.read_failures),
            "read_failures": sorted({said[-120:] for _, said in self.read_failures})[:3],
            "node_rejoined_after_s": round(back_s, 2),
        }

    def count(self) -> dict[str, Any]:
        """Compare what every node holds with what was acknowledged."""
        result: dict[str, Any] = {}
        for node in self.nodes:
            engine = make_engine(url=node.url("metrics"))
            with engine.connect() as connection:
                connection.execute(text("SET SESSION wsrep_sync_wait = 1"))
                batches = set(connection.scalars(text("SELECT batch_id FROM ingest_batches")))
                rows = {
                    url.rpartition("/")[2]: count
                    for url, count in connection.execute(
                        text("SELECT page_url, COUNT(*) FROM scraper_page_performance GROUP BY page_url")
                    )
                }
                minutes = text("SELECT SUM(total_navigations) FROM scraper_metrics_minute")
                rolled = int(connection.execute(minutes).scalar() or 0)
                step = connection.execute(text("SELECT @@auto_increment_increment")).scalar()
            engine.dispose()
            result[f"node_{self.nodes.index(node) + 1}"] = {
                "lost": len(self.acknowledged.keys() - batches),
                "twice": sum(count > BATCH_ROWS for count in rows.values()),
                "torn": sum(rows.get(name, 0) < BATCH_ROWS for name in batches),
                "rows": sum(rows.values()),
                "rows_in_minute_rollups": rolled,
                "auto_increment_increment": step,
            }
        return result


def _longest(moments_s: list[float], start_s: float, end_s: float) -> float:
    """Return the longest time without success that ended between two moments, seconds."""
    pairs = itertools.pairwise(sorted(moments_s))
    return round(max((after - before for before, after in pairs if start_s <= after < end_s), default=0.0), 3)


def drill(seconds: float, suspect_s: float, parent: Path | None) -> dict[str, Any]:
    """Start the cluster, run the drill, and end the cluster.

    Args:
        seconds: How long the load lasts.
        suspect_s: How long a silent node is waited for (Galera's evs.suspect_timeout, 5 by default).
        parent: Where the nodes' directories are made.

    Returns:
        The JSON document.
    """
    with contextlib.ExitStack() as stack:
        nodes = [GaleraNode(parent=parent, start_timeout_s=90) for _ in range(3)]
        for node in nodes:
            node.peers, node.suspect_s = nodes, suspect_s
        nodes[0].bootstraps = True
        begun_s = time.monotonic()
        for node in nodes:
            stack.enter_context(node)
        nodes[0].bootstraps = False  # from now on it joins as the others do
        started_s = time.monotonic() - begun_s
        size = nodes[0].status("wsrep_cluster_size")
        nodes[0].execute("CREATE DATABASE metrics")
        made = Drill(nodes)
        load = made.run(seconds)
        held = made.count()
        for engine in made.engines:
            engine.dispose()
        version = nodes[1].execute("SELECT VERSION()")[0][0]
        passed = all(
            node["lost"] == node["twice"] == node["torn"] == 0 and node["rows"] == node["rows_in_minute_rollups"]
            for node in held.values()
        )
        return {
            "bench": "galera_drill", "server": version, "nodes": int(size), "started_s": round(started_s, 1),
            "seconds": seconds, "suspect_timeout_s": suspect_s, "load": load, "held": held, "passed": passed,
        }  # fmt: skip


def main() -> int:
    """Run the drill and print one JSON document; exit code 1 when something acknowledged isn't there once."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=24.0, help="how long the load lasts")
    parser.add_argument("--suspect-s", type=float, default=5.0, help="Galera's evs.suspect_timeout")
    parser.add_argument("--directory", type=Path, help="where the nodes' data is made (default: in memory)")
    options = parser.parse_args()
    try:
        document = drill(options.seconds, options.suspect_s, options.directory)
    except (ServerMissingError, ServerFailedError) as exc:
        document = {"bench": "galera_drill", "not_measured": str(exc)}
    print(json.dumps(document, indent=2))
    return 0 if document.get("passed", True) else 1


if __name__ == "__main__":
    sys.exit(main())
