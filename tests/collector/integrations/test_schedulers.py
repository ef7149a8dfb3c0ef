"""APScheduler and Celery: the examples' jobs are recorded as they went, in threads and in prefork workers."""

from __future__ import annotations

import datetime
import logging
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from apscheduler import events
from apscheduler.schedulers.background import BackgroundScheduler
from celery import Celery
from celery.contrib.testing.worker import start_worker

from collector import InvalidMetric
from collector.integrations.apscheduler import track_scheduler
from collector.integrations.celery import track_tasks
from examples import shop_apscheduler, shop_celery
from examples.shop import Shop
from tests.collector.doubles import WAIT_S, App
from tests.collector.integrations.conftest import Recorded
from tests.servers import PrivateRedis

UTC = datetime.UTC


@pytest.fixture
def scheduler() -> Iterator[BackgroundScheduler]:
    """A scheduler that is shut down afterwards."""
    scheduler = BackgroundScheduler(timezone=UTC)
    yield scheduler
    if scheduler.running:
        scheduler.shutdown()


def wait_for(scheduler: BackgroundScheduler, mask: int, count: int) -> Callable[[], None]:
    """Prepare to wait until so many events of some kinds have been heard; call it after the tracking has its turn."""
    heard = threading.Semaphore(0)
    scheduler.add_listener(lambda event: heard.release(), mask)

    def wait() -> None:
        for _ in range(count):
            assert heard.acquire(timeout=WAIT_S)

    return wait


def test_the_apscheduler_example_records_fine_and_failed_runs(
    shop: Shop, recorded: Recorded, scheduler: BackgroundScheduler
) -> None:
    shop_apscheduler.schedule(shop.url, "shop-apscheduler", scheduler)
    wait = wait_for(scheduler, events.EVENT_JOB_EXECUTED | events.EVENT_JOB_ERROR, 2)
    now = datetime.datetime.now(UTC)
    scheduler.start(paused=True)
    for job in scheduler.get_jobs():
        job.modify(next_run_time=now, misfire_grace_time=None)  # however late its thread has its turn
    scheduler.resume()
    wait()
    runs = {run["schedulerName"]: run for run in recorded()}
    seen = shop.requests("shop-apscheduler")
    assert runs["first page"]["success"] is True
    assert runs["first page"]["itemsProcessed"] == seen["/catalogue/1"][0].products
    assert runs["lost page"]["success"] is False
    assert runs["lost page"]["error"] == f"HTTPError: HTTP Error {seen['/catalogue/9'][0].status}: Not Found"
    assert {run["scraperSource"] for run in runs.values()} == {"shop-apscheduler"}


def test_missed_and_skipped_runs_are_recorded_as_failed(recorded: Recorded, scheduler: BackgroundScheduler) -> None:
    track_scheduler(scheduler)
    missed = wait_for(scheduler, events.EVENT_JOB_MISSED, 1)
    skipped = wait_for(scheduler, events.EVENT_JOB_MAX_INSTANCES, 1)
    done = wait_for(scheduler, events.EVENT_JOB_EXECUTED, 1)
    release = threading.Event()
    long_ago = datetime.datetime.now(UTC) - datetime.timedelta(hours=1)
    scheduler.add_job(len, "date", run_date=long_ago, args=("",), name="late", misfire_grace_time=60)
    scheduler.add_job(release.wait, "interval", seconds=0.05, args=(WAIT_S,), name="slow", max_instances=1)
    scheduler.start()
    missed()
    skipped()
    release.set()
    done()
    scheduler.shutdown()
    late = next(run for run in recorded() if run["schedulerName"] == "late")
    assert (late["success"], late["error"][:19]) == (False, "missed: it was due ")
    slow = [run for run in recorded() if run["schedulerName"] == "slow"]
    assert any(run["error"] and "max_instances" in run["error"] for run in slow)
    assert any(run["success"] and run["executionDurationMs"] > 0 for run in slow)


def test_a_job_that_runs_once_keeps_its_name(recorded: Recorded, scheduler: BackgroundScheduler) -> None:
    track_scheduler(scheduler)
    done = wait_for(scheduler, events.EVENT_JOB_EXECUTED, 1)
    scheduler.start()
    # Gone from the scheduler before it is done; run however late its thread has its turn.
    scheduler.add_job(list, "date", args=("abc",), name="x" * 80, misfire_grace_time=None)
    done()
    (run,) = recorded()
    assert (run["schedulerName"], run["itemsProcessed"]) == ("x" * 50, 3)


def test_what_is_no_scheduler_is_refused() -> None:
    with pytest.raises(TypeError, match="needs a scheduler of APScheduler 3, got list"):
        track_scheduler([])
    with pytest.raises(InvalidMetric):
        track_tasks(scraper_source="")


@pytest.fixture
def tasks() -> Iterator[Celery]:
    """The example's app with a broker in memory and a worker in a thread."""
    app = shop_celery.make_app("memory://")
    app.set_current()
    root = logging.getLogger()
    before = (root.level, root.handlers[:])
    try:
        with start_worker(app, pool="solo", perform_ping_check=False, shutdown_timeout=WAIT_S):
            yield app
    finally:  # a worker sets up the logging of its whole process
        root.setLevel(before[0])
        root.handlers[:] = before[1]


def test_the_celery_example_records_fine_failed_and_retried_tasks(
    shop: Shop, recorded: Recorded, tasks: Celery
) -> None:
    wanted = {1: [True], 2: [False, True], 9: [False], 16: [False]}  # page -> how its executions end
    done = threading.Semaphore(0)
    from celery import signals

    def count(**_: object) -> None:
        done.release()

    signals.task_postrun.connect(count, dispatch_uid="count")
    try:
        for number in wanted:
            tasks.send_task("shop.prices", (shop.url, number))
        for _ in range(sum(map(len, wanted.values()))):
            assert done.acquire(timeout=WAIT_S)
    finally:
        signals.task_postrun.disconnect(dispatch_uid="count")
    runs = recorded()
    assert {(run["schedulerName"], run["scraperSource"]) for run in runs} == {("shop.prices", "shop-celery")}
    assert Counter(run["success"] for run in runs) == Counter(end for ends in wanted.values() for end in ends)
    errors = Counter((run["error"] or "fine").partition(":")[0] for run in runs)
    assert errors == {"fine": 2, "retry": 1, "HTTPError": 2}
    assert sum(run["itemsProcessed"] for run in runs) == sum(
        request.products for path in shop.requests("shop-celery").values() for request in path
    )


def test_prefork_workers_deliver_all_when_they_end(app: App, start: Callable[..., subprocess.Popen[str]]) -> None:
    with PrivateRedis() as redis, Shop() as shop:
        worker = start("examples.shop_celery", "--board", app.url, "--broker", redis.url, "worker")
        with Celery("sender", broker=redis.url) as sender:
            sender.send_task("shop.scrape", (shop.url, [1, 2, 4, 7, 9, 13] * 10))
        app.wait_for_metrics(5)
        worker.terminate()  # in the middle: it ends the tasks that it has begun, and no others
        _, complaints = worker.communicate(timeout=150)
        visits = sum(map(len, shop.requests(shop_celery.SOURCE).values()))
    runs = Counter(metric["schedulerName"] for metric in app.metrics())
    assert runs == {"shop.scrape": 1, "shop.prices": visits}, complaints
