"""Three processes that publish all the time while Redis is killed, emptied, frozen and cut off: each metric once."""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from contextlib import ExitStack

import pytest

from tests.live.nodes import Commit, Node, commit, urls, wait_until_equal
from tests.proxies import CuttingProxy
from tests.servers import PrivateRedis

TROUBLES = ("kill", "refuse", "cut", "empty", "freeze")


class Process:
    """One process: what it stores, and its follower, which finds what the others stored somewhat later."""

    def __init__(self, name: str, node: Node, seed: str) -> None:
        self.name = name
        self.node = node
        self.viewer = node.view()
        self.others: list[Process] = []
        self.stored: list[Commit] = []
        self._found: deque[Commit] = deque()
        self._random = random.Random(seed + name)
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=run) for run in (self._store, self._follow)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Store no more; the follower finds the rest."""
        for process in (self, *self.others):
            process._stop.set()
            process._threads[0].join()
        self._threads[1].join()
        self.node.publish(*self._found)

    def _store(self) -> None:
        while not self._stop.wait(self._random.random() * 0.03):
            sources = self._random.sample("abcd", self._random.randint(1, 3))
            self.stored.append(
                commit(f"{self.name}:{len(self.stored)}", *sources, times=self._random.choice((1, 1, 40)))
            )
            for other in self.others:
                other._found.append(self.stored[-1])
            self.node.publish(self.stored[-1])

    def _follow(self) -> None:
        while not self._stop.wait(self._random.random() * 0.4):
            self.node.publish(*[self._found.popleft() for _ in range(len(self._found))])


@pytest.mark.parametrize("seed", ["one", "two"])
def test_every_viewer_gets_every_metric_once_and_numbers_only_go_up(seed: str) -> None:
    choice = random.Random(seed)
    with PrivateRedis() as redis, CuttingProxy(redis.port) as proxy, ExitStack() as stack:
        addresses = (redis.url, f"redis://127.0.0.1:{proxy.port}/0", redis.url)
        nodes = [stack.enter_context(Node(url, patience_s=0.4)) for url in addresses]
        processes = [Process(name, node, seed) for name, node in zip("xyz", nodes, strict=True)]
        for process in processes:
            process.others = [other for other in processes if other is not process]
        for process in processes:
            process.start()
        for trouble in choice.sample(TROUBLES * 2, 7):
            pause_s = choice.random() * 0.8
            if trouble == "kill":
                redis.kill()
                time.sleep(pause_s)
                redis.start()
            elif trouble == "refuse":
                proxy.refuse()
                time.sleep(pause_s)
                proxy.accept()
            elif trouble == "freeze":
                redis.pause()
                time.sleep(pause_s)
                redis.resume()
            elif trouble == "cut":
                proxy.cut(b"y:", choice.choice(("before", "after")))
            else:
                nodes[0].stream._redis.flushall()
            time.sleep(choice.random() * 0.6)
        for process in processes:
            process.stop()
        for node in nodes:
            node.wait_for_status("ok")
        last = commit("last:1", "a")
        nodes[0].publish(last)
        wanted = urls(*[one for process in processes for one in process.stored], last)
        for process in processes:
            process.viewer.hear_url("last:1/a/0")
            assert process.viewer.hear(len(wanted)) == wanted
            assert process.viewer.wrong == []
            assert process.node.backplane.stats()["failures"] == 0
        # What an emptied Redis forgot is published again and brings nothing new, but it counts; it may come last.
        wait_until_equal([process.viewer for process in processes])
