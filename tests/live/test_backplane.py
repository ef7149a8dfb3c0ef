"""Several processes on one Redis: the same order and numbers everywhere; what can't be brought is announced."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from live.numbers import STEP
from live.stream import RedisRefused, RedisStream
from tests.live.nodes import Node, commit, urls
from tests.proxies import CuttingProxy
from tests.servers import PrivateRedis


@pytest.fixture
def redis() -> Iterator[PrivateRedis]:
    with PrivateRedis() as server:
        yield server


def cut_off(proxy: CuttingProxy) -> Node:
    return Node(f"redis://127.0.0.1:{proxy.port}/0", patience_s=0.5)


def test_batches_have_the_same_order_and_numbers_in_every_process(redis: PrivateRedis) -> None:
    with Node(redis.url) as first, Node(redis.url) as second:
        viewers = [first.view(), second.view(), second.view("b")]
        commits = [[commit(f"{name}:{n}", "a", "b", name, times=1 + n % 3) for n in range(60)] for name in "xy"]

        def publish(node: Node, number: int) -> None:
            for one in commits[number]:
                node.publish(one)

        threads = [threading.Thread(target=publish, args=pair) for pair in ((first, 0), (second, 1))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        wanted = urls(*commits[0], *commits[1])
        assert viewers[0].hear(len(wanted)) == wanted
        assert viewers[1].hear(len(wanted)) == wanted
        assert viewers[0].batches == viewers[1].batches  # seq, timestamp and metrics; byte by byte the same frames
        of_b = [url for url in viewers[0].urls if "/b/" in url]
        viewers[2].hear(len(of_b))
        assert viewers[2].urls == of_b
        for name in "xy":  # each process' commits stay in their order
            of_one = [int(url.split(":")[1].split("/")[0]) for url in of_b if url.startswith(name)]
            assert of_one == sorted(of_one)
        assert [viewer.wrong + viewer.gaps for viewer in viewers] == [[], [], []]
        assert first.woken.is_set()
        assert second.woken.is_set()


def test_a_client_goes_on_at_another_process_where_it_stopped(redis: PrivateRedis) -> None:
    with Node(redis.url) as first, Node(redis.url) as second:
        follows_all, follows_a = first.view(), first.view("a")
        first.publish(commit("x:1", "a", "b"))
        follows_all.hear(2)
        follows_a.hear(1)
        since_all, since_a = follows_all.leave(), follows_a.leave()
        control = second.view()
        for n in range(2, 6):
            first.publish(commit(f"x:{n}", "a", "b"))
            control.hear(2 * (n - 1))
        with Node(redis.url) as third:  # one that wasn't there before
            come_back = [node.view("*", since_all) for node in (second, third)]
            come_back_a = [node.view("a", since_a) for node in (second, third)]
            first.publish(commit("y:1", "a"))
            control.hear(9)
            for viewer in come_back:
                viewer.hear(9)
                assert viewer.batches == control.batches
            for viewer in come_back_a:
                viewer.hear(5)
                assert viewer.batches == [batch for batch in control.batches if batch["scraperSource"] == "a"]
            assert [viewer.wrong + viewer.gaps for viewer in (*come_back, *come_back_a)] == [[]] * 4
            stranger = third.view("a", since_a - 1_000)
            stranger.hear_gap()


def test_a_commit_that_two_processes_publish_comes_once(redis: PrivateRedis) -> None:
    with Node(redis.url) as first, Node(redis.url) as second:
        viewer, other = first.view(), second.view()
        commits = [commit(f"x:{n}", "a", "b", times=70) for n in range(20)]  # two batches for each source
        for n, one in enumerate(commits):  # as the follower of each does with the rows of a third that died
            (first, second)[n % 2].publish(one)
            (second, first)[n % 2].publish(one, *commits[max(0, n - 3) : n])
        last = commit("last:1", "z")
        first.publish(last)
        wanted = urls(*commits, last)
        assert viewer.hear(len(wanted)) == wanted
        assert other.hear(len(wanted)) == wanted
        assert viewer.batches == other.batches
        assert viewer.wrong + other.wrong + viewer.gaps + other.gaps == []


def test_without_redis_a_process_serves_its_own_viewers_and_numbers_never_go_back(redis: PrivateRedis) -> None:
    with Node(redis.url) as first, Node(redis.url) as second:
        nodes, viewers = (first, second), (first.view(), second.view())
        before = [commit(f"{name}:1", "a") for name in "xy"]
        for node, one in zip(nodes, before, strict=True):
            node.publish(one)
        for viewer in viewers:
            viewer.hear(2)
        stopped = first.view("a", 0)
        stopped.hear_gap()
        left_before = stopped.leave()
        redis.kill()
        alone = [commit(f"{name}:2", "a", "b") for name in "xy"]
        for node, one, viewer in zip(nodes, alone, viewers, strict=True):
            node.publish(one)
            viewer.hear(4)  # at once, though Redis is dead
            viewer.hear_gap()
        assert viewers[0].gaps[0] != viewers[1].gaps[0]  # nobody may go on at the other one as if nothing were missing
        for node, one in zip(nodes, reversed(alone), strict=True):
            node.publish(one)  # the follower found it in the database
        for viewer in viewers:
            assert viewer.hear(6) == urls(*before, *alone)
        assert [node.backplane.status()["status"] for node in nodes] == ["unreachable"] * 2
        left_alone = viewers[0].at
        redis.start()  # without what it knew
        for node, viewer in zip(nodes, viewers, strict=True):
            node.wait_for_status("ok")
            viewer.hear_gap(2)
        late = commit("x:3", "a")
        for node in nodes:
            node.publish(alone[0], alone[1], late)  # what was brought alone isn't brought again
        for viewer in viewers:
            assert viewer.hear(7) == urls(*before, *alone, late)
            assert viewer.wrong == []
        assert [batch["seq"] for batch in viewers[0].batches][-1] == [batch["seq"] for batch in viewers[1].batches][-1]
        for since in (left_before, left_alone):
            second.view("*", since).hear_gap()


def test_a_redis_that_hangs_holds_up_viewers_for_its_patience_only(redis: PrivateRedis) -> None:
    with Node(redis.url, patience_s=0.5) as first, Node(redis.url, patience_s=0.5) as second:
        viewers = [first.view(), second.view()]
        first.publish(commit("x:1", "a"))
        for viewer in viewers:
            viewer.hear(1)
        redis.pause()
        hung = commit("x:2", "a")
        first.publish(hung)
        assert viewers[0].hear(2) == urls(commit("x:1", "a"), hung)
        second.publish(hung)  # found by its follower
        viewers[1].hear(2)
        redis.resume()
        for node in (first, second):
            node.wait_for_status("ok")
        last = commit("x:3", "a")
        second.publish(last)
        for viewer in viewers:  # what hung in Redis' socket came to the stream after all, but not to them again
            assert viewer.hear(3) == urls(commit("x:1", "a"), hung, last)
            assert viewer.wrong == []


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_connection_cut_around_a_publication_costs_nothing(redis: PrivateRedis, when: str) -> None:
    with CuttingProxy(redis.port) as proxy, Node(f"redis://127.0.0.1:{proxy.port}/0") as cut, Node(redis.url) as other:
        viewers = [cut.view(), other.view()]
        commits = [commit(f"x:{n}", "a", "b") for n in range(6)]
        proxy.cut(b"x:3/a", when)  # type: ignore[arg-type]
        for n, one in enumerate(commits):
            cut.publish(one)
            viewers[0].hear(2 * n + 2)
        for viewer in viewers:
            assert viewer.hear(12) == urls(*commits)
            assert viewer.wrong + viewer.gaps == []
        assert viewers[0].batches == viewers[1].batches
        assert proxy.cuts == 1


def test_a_process_that_lost_its_network_while_nothing_came_catches_up_without_a_gap(redis: PrivateRedis) -> None:
    with CuttingProxy(redis.port) as proxy, cut_off(proxy) as cut, Node(redis.url) as other:
        viewers = [cut.view(), other.view()]
        proxy.refuse()
        cut.wait_for_status("unreachable")
        commits = [commit(f"y:{n}", "a", times=120) for n in range(10)]
        for one in commits:
            other.publish(one)
        viewers[1].hear(1200)
        proxy.accept()
        for viewer in viewers:
            assert viewer.hear(1200) == urls(*commits)
            assert viewer.wrong + viewer.gaps == []
        assert viewers[0].batches == viewers[1].batches


def test_a_process_alone_among_others_gets_their_metrics_once_and_joins_again(redis: PrivateRedis) -> None:
    with CuttingProxy(redis.port) as proxy, cut_off(proxy) as cut, Node(redis.url) as other:
        viewers = [cut.view(), other.view()]
        proxy.refuse()
        own, theirs = commit("x:1", "a"), commit("y:1", "a", "b")
        cut.publish(own)
        other.publish(theirs, own)  # its follower found the other one's
        cut.publish(theirs)  # and the other way round
        unseen = commit("y:2", "b")
        assert viewers[0].hear(3) == urls(own, theirs)
        viewers[1].hear(3)
        other.publish(unseen)  # the follower of the other hasn't come to it
        viewers[1].hear(4)
        proxy.accept()
        cut.wait_for_status("ok")
        last = commit("x:2", "a")
        cut.publish(last)
        for viewer in viewers:
            assert viewer.hear(5) == urls(own, theirs, unseen, last)
            assert viewer.wrong == []
            assert viewer.gaps


def test_what_was_trimmed_while_a_process_slept_is_announced(redis: PrivateRedis) -> None:
    with CuttingProxy(redis.port) as proxy, cut_off(proxy) as cut, Node(redis.url, keep_batches=100) as other:
        sleeper, control = cut.view(), other.view()
        proxy.refuse()
        cut.wait_for_status("unreachable")
        for n in range(40):  # one at a time, so that none go together
            other.publish(commit(f"y:{n}", *(f"s{k}" for k in range(20))))
            control.hear(20 * n + 20)
        proxy.accept()
        sleeper.hear_gap()
        other.publish(commit("y:40", "a"))
        control.hear(801)
        cut.publish(commit("y:3", "s0"))  # its follower comes late: on the stream it was, and it is announced
        cut.publish(commit("x:1", "a"))
        control.hear(802)
        sleeper.hear_url("x:1/a/0")
        assert sleeper.urls == control.urls[-len(sleeper.urls) :]
        assert sleeper.wrong + control.wrong + control.gaps == []
        assert len(sleeper.urls) < 802
        assert cut.backplane.stats()["waiting"] == 0


def test_data_that_redis_loses_while_it_runs_begins_a_new_era(redis: PrivateRedis) -> None:
    with Node(redis.url) as first, Node(redis.url) as second:
        viewers = [first.view(), second.view()]
        first.publish(commit("x:1", "a"))
        for viewer in viewers:
            viewer.hear(1)
        first.stream._redis.flushall()
        for viewer in viewers:  # also without any traffic
            viewer.hear_gap()
        second.publish(commit("y:1", "a"))
        for viewer in viewers:
            assert viewer.hear(2) == urls(commit("x:1", "a"), commit("y:1", "a"))
            assert viewer.wrong == []
        assert viewers[0].at == viewers[1].at


def test_numbers_stay_above_those_that_viewers_know_when_another_begins_anew_below_them(redis: PrivateRedis) -> None:
    other = RedisStream(redis.url, name="test")
    with Node(redis.url) as node:
        viewer = node.view()
        node.publish(commit("x:1", "a"))
        viewer.hear(1)
        # One step: forgotten, and begun by a process that had seen less.
        lost = node.stream._redis.pipeline().flushall()
        lost.hset(other._state, mapping={"era": "low", "base": 1000, "order": 1000}).execute()
        viewer.hear_gap()
        node.publish(commit("y:1", "a"))
        assert viewer.hear(2) == urls(commit("x:1", "a"), commit("y:1", "a"))
        assert viewer.wrong == []
    other.close()


def test_eras_that_came_and_went_unseen_are_brought_all_the_same(redis: PrivateRedis) -> None:
    with CuttingProxy(redis.port) as proxy, cut_off(proxy) as cut, Node(redis.url) as other:
        viewers = [cut.view(), other.view()]
        known = commit("x:1", "a")
        cut.publish(known)
        for viewer in viewers:
            viewer.hear(1)
        proxy.refuse()  # nothing waits: its numbers stay those of the era that it knows
        cut.wait_for_status("unreachable")
        unseen = [commit(f"y:{n}", "a", "b") for n in range(4)]
        for n, one in enumerate(unseen):
            other.publish(one)
            viewers[1].hear(3 + 2 * n)
            at = other.stream.position()[1]
            other.stream.join(base=at + STEP, above=at + 1, step=STEP)
        proxy.accept()
        cut.wait_for_status("ok")
        cut.publish(*unseen)  # its follower finds them late: the stream has them, in eras that nobody reads any more
        last = commit("x:2", "a")
        cut.publish(last)
        for viewer in viewers:
            viewer.hear_url("x:2/a/0")
            assert viewer.hear(10) == urls(known, *unseen, last)
            assert viewer.wrong == []
        assert viewers[0].at == viewers[1].at


def test_two_databases_on_one_redis_dont_mix(redis: PrivateRedis) -> None:
    with Node(redis.url, name="one") as first, Node(redis.url, name="other") as second:
        viewers = [first.view(), second.view()]
        first.publish(commit("x:1", "a"))
        second.publish(commit("x:1", "b"))
        assert (viewers[0].hear(1), viewers[1].hear(1)) == (["x:1/a/0"], ["x:1/b/0"])


def test_a_process_that_starts_without_redis_joins_later(redis: PrivateRedis) -> None:
    redis.kill()
    with Node(redis.url) as first, Node(redis.url) as second:
        viewer = first.view()
        first.publish(commit("x:1", "a"))
        viewer.hear(1)
        redis.start()
        for node in (first, second):
            node.wait_for_status("ok")
        second.publish(commit("y:1", "a"))
        assert viewer.hear(2) == ["x:1/a/0", "y:1/a/0"]
        assert viewer.wrong == []


def test_what_is_left_at_the_end_is_published_and_brought(redis: PrivateRedis) -> None:
    with Node(redis.url) as first, Node(redis.url) as second:
        viewers = [first.view(), second.view()]
        commits = [commit(f"x:{n}", "a") for n in range(50)]
        first.publish(*commits)
        first.backplane.stop()
        for viewer in viewers:
            assert viewer.hear(50) == urls(*commits)


@pytest.mark.parametrize(
    "url", ["redis://h:port/0", "redis://h/0?unknown=1", "redis://:geheim@h:x/0", "redis://:ge#heim@h/0", "redis://h/x"]
)
def test_a_url_that_cant_be_used_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(RedisRefused) as caught:
        RedisStream(url, name="x")
    assert "heim" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_wrong_password_is_refused_and_a_redis_that_is_away_is_not(redis: PrivateRedis) -> None:
    stream = RedisStream(redis.url, name="x")
    stream._redis.config_set("requirepass", "richtig")
    for url in (redis.url, redis.url.replace("://", "://:geheim@")):
        with pytest.raises(RedisRefused) as caught:
            RedisStream(url, name="x").check()
        assert "geheim" not in str(caught.value)
    RedisStream(redis.url.replace("://", "://:richtig@"), name="x").check()
    with pytest.raises(RedisRefused):
        RedisStream(redis.url.replace("://", "://:richtig@").replace("/0", "/99"), name="x").check()
    redis.kill()
    RedisStream(redis.url, name="x").check()
