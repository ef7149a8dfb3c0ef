"""What evaluating alert rules costs, and how soon a crossed threshold is in the outbox: `python -m bench.alerts`."""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import threading
import time
import uuid
from pathlib import Path
from typing import Any

from alerts.channels import Channel
from alerts.defaults import DEFAULT_RULES
from alerts.evaluator import Evaluator
from alerts.look import Look
from alerts.measure import Measurer
from alerts.past import Past
from alerts.rules import Rule, rule_of
from alerts.service import AlertService
from alerts.setting import Setting
from collector.events import Metric, PageNavigation, PageScrape
from collector.sinks import Batch
from db.alert_settings import AlertSettings
from db.alert_tables import AlertTables
from db.clock import now_ms
from db.engine import make_engine
from db.migrate import upgrade
from db.queries import Queries
from db.recent import RecentDetail
from db.rollups import Rollups
from db.store import Store

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
WINDOWS = ("1m", "5m", "15m", "1h", "6h", "1d")
MEASURES = (
    ("success_rate", 80), ("error_count", 500), ("mean_ms", 5_000), ("p95_ms", 20_000), ("items", 1), ("yield", 0.5),
    ("throughput", 0.01), ("usable_success_rate", 50), ("retries", 2), ("green_but_empty", 90), ("no_data", 3_600),
)  # fmt: skip


def make_rules(count: int, sources: int, *, seed: int = 1, long: bool = False) -> list[Rule]:
    """Make rules of all kinds: most by source, some about few of them, by domain, by label, or with a baseline.

    Those by domain and label reach further back than memory when `long` is set.
    """
    rng, rules = random.Random(seed), []
    for number in range(count):
        what, threshold = MEASURES[number % len(MEASURES)]
        document: dict[str, Any] = {
            "id": f"rule-{number}", "name": f"Rule {number}", "what": what, "threshold": threshold,
            "window": rng.choice(WINDOWS), "min_samples": 10, "for": rng.choice(("0s", "2m")),
        }  # fmt: skip
        kind = rng.random()
        if kind < 0.08 and what != "no_data":
            document |= {"by": rng.choice(("domain", "label:proxy")), "window": rng.choice(WINDOWS[:2])}
            if long:
                document["window"] = rng.choice(WINDOWS[3:])
        elif kind < 0.2:
            document["by"] = "fleet"
        if kind >= 0.08 and kind < 0.5:
            document["only"] = [f"source=shop-{rng.randrange(max(1, sources // 10))}*"]
        if kind > 0.85:
            document["baseline"] = {"days": 7, "tolerance_percent": 50}
        rules.append(rule_of(document))
    return rules


def metrics(sources: int, count: int, end_ms: int, length_ms: int, *, seed: int = 1) -> list[Metric]:
    """Make metrics of a span of time, in its order; one in fifty failed."""
    rng, made = random.Random(seed), list[Metric]()
    for number in range(count):
        shop = number % sources
        source, at_ms = f"shop-{shop}", end_ms - length_ms + length_ms * number // count
        url, labels = f"https://shop{shop % 40}.example/p/{number % 500}", {"proxy": f"eu-{shop % 8}"}
        ok, duration_ms = rng.random() > 0.02, rng.lognormvariate(6, 1)
        error = None if ok else "timeout"
        if number // sources % 2:
            made.append(PageNavigation(source, url, duration_ms, ok, int(not ok), error, 200, at_ms, None, labels))
        else:
            made.append(
                PageScrape(
                    source, url, duration_ms, 5 * ok, ok, error, 1_000, "ok" if ok else "network", at_ms, None, labels
                )
            )
    return made


class Fleet:
    """A database with a week of a fleet, and what the app keeps in memory of it."""

    def __init__(self, directory: str, sources: int, recent: int, *, present_ms: int) -> None:
        self.present_ms = present_ms
        self.engine = make_engine(url=f"sqlite:///{directory}/{uuid.uuid4().hex}.db")
        upgrade(self.engine)
        self.store = Store(self.engine)
        memory, self.rollups = RecentDetail(), Rollups(self.engine, clock_ms=lambda: self.present_ms)
        self.queries = Queries(self.engine, memory, rollups=self.rollups, clock_ms=lambda: self.present_ms)
        self.store.subscribe(memory.append)
        self.store.subscribe(self.rollups.mark)
        self.send(metrics(sources, sources * 24 * 8 * 4, present_ms - HOUR_MS, 8 * DAY_MS - HOUR_MS))
        self.send(metrics(sources, recent, present_ms, HOUR_MS, seed=2))
        self.rollups.run_once()

    def send(self, found: list[Metric]) -> None:
        """Store metrics."""
        for low in range(0, len(found), 5_000):
            self.store.send(Batch(uuid.uuid4().hex, tuple(found[low : low + 5_000])))


def evaluations(
    fleet: Fleet, rules: list[Rule], sources: int, rounds: int, measurer: Measurer | None = None
) -> dict[str, Any]:
    """Measure evaluations of all rules, a second apart, with new metrics before each."""
    measurer = measurer or Measurer(fleet.queries, Past(fleet.queries))
    evaluator, setting = (
        Evaluator(measurer.measure),
        Setting(tuple(rules), channels={"ops": Channel(id="ops", name="Ops")}),
    )
    wall_ms, cpu_ms, notices = [], [], 0
    problems: dict[str, str] = {}
    for number in range(rounds + 1):
        fleet.present_ms += 1_000
        fleet.send(metrics(sources, sources, fleet.present_ms, 1_000, seed=number))
        began_s, began_cpu_s = time.perf_counter(), time.process_time()
        outcome = evaluator.evaluate(setting, rules, Look(fleet.queries, fleet.present_ms))
        evaluator.keep(outcome)
        wall_ms.append((time.perf_counter() - began_s) * 1000)
        cpu_ms.append((time.process_time() - began_cpu_s) * 1000)
        notices += len(outcome.notices)
        problems = outcome.problems
    return {
        "rules": len(rules),
        "sources": sources,
        "rows_in_memory": len(fleet.queries.alert_rows(0, 1 << 62)[0]),
        "first_wall_ms": round(wall_ms[0], 1),
        "first_cpu_ms": round(cpu_ms[0], 1),
        "wall_ms": [round(value, 1) for value in wall_ms[1:]],
        "cpu_ms": [round(value, 1) for value in cpu_ms[1:]],
        "median_wall_ms": round(statistics.median(wall_ms[1:]), 1),
        "median_cpu_ms": round(statistics.median(cpu_ms[1:]), 1),
        "alerts": len(evaluator.alerts()),
        "notices": notices,
        "problems": sorted(set(problems.values())),
    }


def beyond_memory(fleet: Fleet, rules: list[Rule], sources: int, rounds: int) -> dict[str, Any]:
    """Measure the same when rules by domain and label reach further back than memory, from when nothing was read."""
    # What is left in memory after a burst: the rest of the hours and of the day is in the database.
    fleet.queries._recent.forget_before(fleet.present_ms - 10 * 60_000)
    measurer = Measurer(fleet.queries, Past(fleet.queries))
    evaluator, took_ms = Evaluator(measurer.measure), list[float]()
    while True:
        began_s = time.perf_counter()
        outcome = evaluator.evaluate(Setting(tuple(rules)), rules, Look(fleet.queries, fleet.present_ms))
        evaluator.keep(outcome)
        took_ms.append((time.perf_counter() - began_s) * 1000)
        if not outcome.problems:
            break
    return {
        "rules_of_detail": sum(rule.of_detail for rule in rules),
        "evaluations_until_read": len(took_ms),
        "longest_of_these_ms": round(max(took_ms), 1),
        "then": evaluations(fleet, rules, sources, rounds, measurer),
    }


def latencies(directory: str, rounds: int) -> dict[str, Any]:
    """Measure how long it takes from a metric that crosses a threshold to the notification in the outbox."""
    fleet = Fleet(directory, 20, 2_000, present_ms=now_ms())
    settings = AlertSettings(fleet.engine)
    rule = {"id": "low", "name": "Low", "what": "success_rate", "threshold": 50, "window": "1m", "min_samples": 5}
    settings.put_all("rules", {one.id: {**one.document(), "enabled": False} for one in DEFAULT_RULES}, by="bench")
    settings.put("rules", "low", rule, by="bench")
    settings.put("channels", "ops", {"name": "Ops"}, by="bench")
    told = threading.Event()
    service = AlertService(
        AlertTables(fleet.engine),
        fleet.queries,
        Measurer(fleet.queries, Past(fleet.queries)).measure,
        on_deliveries=told.set,
    )
    fleet.store.subscribe(service.wake)
    service.start()
    took_ms = []
    for number in range(rounds):
        time.sleep(random.Random(number).uniform(1.5, 3.0))  # at any moment between two evaluations
        told.clear()
        began_s = time.perf_counter()
        at_ms, source = now_ms(), f"victim-{number}"
        fleet.send([PageNavigation(source, f"https://{source}.example", 9.0, False, 0, None, None, at_ms)] * 10)
        if not told.wait(60):
            break
        took_ms.append((time.perf_counter() - began_s) * 1000)
    service.stop()
    return {
        "rounds": len(took_ms),
        "median_ms": round(statistics.median(took_ms), 1),
        "max_ms": round(max(took_ms), 1),
    }


def main() -> None:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rules", type=int, default=1_000)
    parser.add_argument("--sources", type=int, default=200)
    parser.add_argument("--recent", type=int, default=100_000, help="metrics of the last hour")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        report: dict[str, Any] = {}
        fleet = Fleet(str(Path(directory)), options.sources, options.recent, present_ms=now_ms() // HOUR_MS * HOUR_MS)
        rules = make_rules(options.rules, options.sources)
        report["evaluation"] = evaluations(fleet, rules, options.sources, options.rounds)
        report["default_rules"] = evaluations(fleet, list(DEFAULT_RULES), options.sources, options.rounds)
        everything = [rule.model_copy(update={"threshold": 1e9, "when": "below", "baseline": None}) for rule in rules]
        worst = [rule for rule in everything if rule.what != "no_data"]
        report["everything_fires"] = evaluations(fleet, worst[:100], options.sources, 1)
        long = make_rules(options.rules, options.sources, long=True)
        report["beyond_memory"] = beyond_memory(fleet, long, options.sources, options.rounds)
        report["threshold_to_outbox"] = latencies(directory, options.rounds)
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
