"""The state machine: only changes are told, flapping is calmed, and nothing is forgotten, whatever is seen."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from alerts.states import FLAP_HOLD_MS, FLAPS, AlertState, Observation, Seen, Timing, Transition, shifted, step

BAD, FINE, BETWEEN, NOTHING = (Observation(seen) for seen in ("bad", "fine", "between", "no_data"))
BROKEN = Observation("error", problem="it raised")
START_MS = 1_714_564_800_000

seens = st.sampled_from(["bad", "fine", "between", "no_data", "error"])
pauses = st.integers(-600_000, 3_600_000)  # a clock may be set back
timings = st.builds(
    Timing,
    st.sampled_from([0, 60_000, 600_000]),
    st.sampled_from([0, 60_000, 600_000]),
    st.sampled_from(["ok", "no_data", "firing"]),
)


def played(
    observations: Sequence[tuple[Observation, int]], timing: Timing = Timing()
) -> tuple[AlertState, list[Transition]]:
    """Let a state see some things, each so many ms after the one before; returns how it ends and what changed."""
    state, now_ms, changes = AlertState(), START_MS, []
    for seen, after_ms in observations:
        now_ms += after_ms
        state, change = step(state, seen, now_ms, timing)
        if change is not None:
            changes.append(change)
    return state, changes


def events(*observations: tuple[Observation, int], timing: Timing = Timing()) -> list[str]:
    return [change.event for change in played(observations, timing)[1]]


def test_without_patience_it_fires_and_resolves_at_once() -> None:
    assert events((BAD, 0), (BAD, 1000), (FINE, 1000)) == ["firing", "resolved"]


def test_it_fires_only_after_it_was_bad_for_long_enough() -> None:
    patient = Timing(for_ms=60_000)
    assert events((BAD, 0), (BAD, 59_999), timing=patient) == ["pending"]
    assert events((BAD, 0), (BAD, 59_999), (BAD, 1), timing=patient) == ["pending", "firing"]
    assert events((BAD, 0), (FINE, 30_000), (BAD, 30_000), timing=patient) == ["pending", "calmed", "pending"]


def test_between_the_thresholds_neither_fires_nor_resolves() -> None:
    assert events((BETWEEN, 0), (BAD, 1000), (BETWEEN, 1000), (FINE, 1000)) == ["firing", "resolved"]
    assert events((BAD, 0), (BETWEEN, 1000), timing=Timing(for_ms=60_000)) == ["pending", "calmed"]


def test_it_goes_on_firing_until_it_was_fine_for_long_enough() -> None:
    lasting = Timing(keep_firing_ms=60_000)
    assert events((BAD, 0), (FINE, 1000), (BAD, 1000), (FINE, 1000), (FINE, 60_000), timing=lasting) == [
        "firing", "recovering", "relapsed", "recovering", "resolved",
    ]  # fmt: skip


def test_how_long_it_fired_is_told_with_the_end() -> None:
    _, changes = played([(BAD, 0), (BAD, 5_000), (FINE, 5_000)])
    assert changes[-1].lasted_ms == 10_000


def test_without_data_it_is_what_the_rule_says() -> None:
    assert events((NOTHING, 0), timing=Timing(no_data="ok")) == []
    assert events((NOTHING, 0), (FINE, 1), timing=Timing(no_data="no_data")) == ["no_data", "known"]
    assert events((NOTHING, 0), timing=Timing(no_data="firing")) == ["firing"]
    _, changes = played([(BAD, 0), (NOTHING, 1000)], Timing(no_data="ok"))
    assert (changes[-1].event, changes[-1].because) == ("resolved", "no data")


def test_what_fires_goes_on_firing_while_nothing_is_known() -> None:
    assert events((BAD, 0), (BROKEN, 1000), (BROKEN, 1000), (FINE, 1000)) == ["firing", "resolved"]
    assert events((BAD, 0), (NOTHING, 1000), timing=Timing(no_data="no_data")) == ["firing"]


def test_a_rule_that_raises_is_in_error_until_it_works() -> None:
    state, changes = played([(BROKEN, 0), (BROKEN, 1000)])
    assert [change.event for change in changes] == ["error"]
    assert state.problem == "it raised"
    state, changes = played([(BROKEN, 0), (FINE, 1000)])
    assert (state.standing, state.problem) == ("normal", "")


def test_what_flaps_is_held() -> None:
    cycle = [(BAD, 300_000), (FINE, 300_000)]
    told = [change.event for change in played(cycle * 10)[1] if change.told]
    assert told == ["firing", "resolved"] * (FLAPS - 1) + ["firing"]
    state, changes = played([*cycle * 10, (FINE, FLAP_HOLD_MS)])
    assert changes[-1].event == "resolved"
    assert not state.forgettable  # that it flapped is known for a while


def test_a_clock_that_is_set_back_makes_nobody_wait_for_longer_than_usual() -> None:
    patient = Timing(for_ms=60_000)
    assert events((BAD, 0), (BAD, -3_600_000), (BAD, 60_000), timing=patient) == ["pending", "firing"]


def test_what_waited_before_the_clock_was_set_has_waited() -> None:
    state, _ = step(AlertState(), BAD, START_MS, Timing(for_ms=60_000))
    state = shifted(state, 3_600_000)
    state, change = step(state, BAD, START_MS + 3_600_000 + 59_000, Timing(for_ms=60_000))
    assert change is None
    state, change = step(state, BAD, START_MS + 3_600_000 + 60_000, Timing(for_ms=60_000))
    assert change is not None
    assert change.event == "firing"


@given(st.lists(st.tuples(seens, pauses), max_size=60), timings)
def test_every_firing_is_resolved_or_still_firing(seen: list[tuple[Seen, int]], timing: Timing) -> None:
    state, changes = played([(Observation(one), pause) for one, pause in seen], timing)
    told = [change.event for change in changes if change.told]
    assert told == ["firing", "resolved"] * (len(told) // 2) + ["firing"] * (len(told) % 2)
    assert state.active == (len(told) % 2 == 1)
    assert state.active == (state.standing in ("firing", "recovering"))


@given(st.lists(st.tuples(seens, pauses), max_size=60), timings)
def test_nothing_is_told_without_a_change_of_state(seen: list[tuple[Seen, int]], timing: Timing) -> None:
    state, now_ms = AlertState(), START_MS
    for one, pause in seen:
        now_ms += pause
        after, change = step(state, Observation(one), now_ms, timing)
        assert (change is not None) == (after.standing != state.standing)
        if change is not None:
            assert (change.before, change.after) == (state.standing, after.standing)
        state = after


@given(st.lists(st.tuples(seens, st.integers(0, 600_000)), max_size=60), timings)
def test_a_step_taken_twice_changes_nothing_more(seen: list[tuple[Seen, int]], timing: Timing) -> None:
    state, now_ms = AlertState(), START_MS
    for one, pause in seen:
        now_ms += pause
        state, _ = step(state, Observation(one), now_ms, timing)
        again, change = step(state, Observation(one), now_ms, timing)
        waits = (timing.for_ms, timing.keep_firing_ms) != (0, 0)
        assert change is None or (waits and change.told)
        assert again.active == state.active or (change is not None and change.told)


@given(st.lists(st.tuples(seens, st.integers(1_000, 600_000)), min_size=1, max_size=40), timings)
def test_however_it_went_what_stays_bad_fires_and_what_stays_fine_ends(
    seen: list[tuple[Seen, int]], timing: Timing
) -> None:
    past = [(Observation(one), pause) for one, pause in seen]
    state, _ = played([*past, (BAD, 1), (BAD, timing.for_ms)], timing)
    assert state.active
    state, _ = played([*past, (FINE, 1), (FINE, max(timing.keep_firing_ms, FLAP_HOLD_MS))], timing)
    assert state.standing == "normal"
