"""How an alert goes from normal to firing and back: a pure function of its state, an observation and the moment.

normal → pending (bad, but not yet for long enough) → firing → recovering (fine, but not yet for long enough) → normal;
no_data and error beside these while nothing is known. An alert that fires goes on firing while nothing is known of it:
only what is known to be fine resolves it, or (by the rule's choice) that there is nothing to measure any more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

Standing = Literal["normal", "pending", "firing", "recovering", "no_data", "error"]
Seen = Literal["bad", "between", "fine", "no_data", "error"]
Event = Literal[
    "pending",  # bad from now on
    "calmed",  # fine again before it fired
    "firing",  # told
    "recovering",  # fine from now on
    "relapsed",  # bad again before it was resolved
    "resolved",  # told
    "no_data",
    "error",
    "known",  # there is data again, and it is fine
]
TOLD: Final[frozenset[Event]] = frozenset({"firing", "resolved"})

# An alert that begins to fire for the third time within two hours has to be fine for longer before it is resolved.
FLAPS: Final = 3
FLAP_WINDOW_MS: Final = 7_200_000
FLAP_HOLD_MS: Final = 1_800_000


@dataclass(frozen=True, slots=True)
class Observation:
    """What was seen of an alert at a moment.

    Args:
        seen: bad; fine; between (not bad, but not fine either by the recovery threshold); no_data; error.
        value: What was measured.
        threshold: What it was compared with.
        samples: How much it was measured from.
        problem: What is wrong, for an error.
    """

    seen: Seen
    value: float | None = None
    threshold: float | None = None
    samples: int = 0
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Timing:
    """How patient a rule is.

    Args:
        for_ms: How long it must be bad before it fires.
        keep_firing_ms: How long it must be fine before it is resolved.
        no_data: What having no data means: "ok" is fine, "firing" is bad, "no_data" is neither.
    """

    for_ms: int = 0
    keep_firing_ms: int = 0
    no_data: Literal["ok", "no_data", "firing"] = "ok"


@dataclass(frozen=True, slots=True)
class AlertState:
    """How an alert stands.

    Args:
        standing: Its state.
        since_ms: Since when, epoch ms.
        fired_ms: When it began to fire, epoch ms; set exactly while it is firing or recovering.
        fires: When it began to fire within two hours, epoch ms, rising.
        value: What was last measured.
        threshold: What it was last compared with.
        problem: What is wrong, in the state error.
        without_data: Whether nothing is known of it at the moment.
    """

    standing: Standing = "normal"
    since_ms: int = 0
    fired_ms: int | None = None
    fires: tuple[int, ...] = ()
    value: float | None = None
    threshold: float | None = None
    problem: str = ""
    without_data: bool = False

    @property
    def active(self) -> bool:
        """Whether it fires: what is recovering does so still."""
        return self.fired_ms is not None

    @property
    def flapping(self) -> bool:
        """Whether it fired so often of late that it is held for longer."""
        return len(self.fires) >= FLAPS

    @property
    def forgettable(self) -> bool:
        """Whether there is nothing to remember of it."""
        return self.standing == "normal" and not self.fires


@dataclass(frozen=True, slots=True)
class Transition:
    """A change of an alert's state.

    Args:
        event: What happened.
        before: The state until now.
        after: The state from now on.
        at_ms: The moment, epoch ms.
        lasted_ms: For how long it fired, when it is resolved.
        because: "no data" when it is resolved because there is nothing to measure any more.
    """

    event: Event
    before: Standing
    after: Standing
    at_ms: int
    lasted_ms: int = 0
    because: str = ""

    @property
    def told(self) -> bool:
        """Whether somebody is to be told."""
        return self.event in TOLD


def step(state: AlertState, seen: Observation, now_ms: int, timing: Timing) -> tuple[AlertState, Transition | None]:
    """Take an observation in.

    Args:
        state: How the alert stood.
        seen: What was seen.
        now_ms: When, epoch ms. A moment before the last one (the clock was set back) makes it wait anew.
        timing: How patient the rule is.

    Returns:
        (how it stands now, what changed or None).
    """
    state = _forget(_clamped(state, now_ms), now_ms)
    kind: Seen = seen.seen
    because = ""
    if kind == "no_data" and timing.no_data == "ok":
        kind, because = "fine", "no data"
    elif kind == "no_data" and timing.no_data == "firing":
        kind = "bad"
    state = _measured(state, seen)
    if state.active:
        return _active(state, kind, now_ms, timing, because)
    return _inactive(state, kind, now_ms, timing, seen)


def shifted(state: AlertState, by_ms: int) -> AlertState:
    """Return the state with as long a wait behind it as before the clock was set.

    Args:
        state: How the alert stands.
        by_ms: How far forward the clock was set; negative for back.
    """
    return replace(state, since_ms=state.since_ms + by_ms) if state.standing in ("pending", "recovering") else state


def _inactive(
    state: AlertState, kind: Seen, now_ms: int, timing: Timing, seen: Observation
) -> tuple[AlertState, Transition | None]:
    if kind == "error":
        return _to(state, "error", now_ms, "error", problem=seen.problem)
    if kind == "no_data":
        return _to(state, "no_data", now_ms, "no_data")
    if kind == "bad":
        waited_ms = now_ms - state.since_ms if state.standing == "pending" else 0
        if waited_ms >= timing.for_ms:
            return _to(state, "firing", now_ms, "firing", fired_ms=now_ms, fires=(*state.fires, now_ms))
        return _to(state, "pending", now_ms, "pending")
    return _to(state, "normal", now_ms, "calmed" if state.standing == "pending" else "known")


def _active(
    state: AlertState, kind: Seen, now_ms: int, timing: Timing, because: str
) -> tuple[AlertState, Transition | None]:
    if kind in ("no_data", "error"):
        return state, None  # nothing is known: it stays as it is
    if kind != "fine":
        return _to(state, "firing", now_ms, "relapsed")
    hold_ms = max(timing.keep_firing_ms, FLAP_HOLD_MS if state.flapping else 0)
    waited_ms = now_ms - state.since_ms if state.standing == "recovering" else 0
    if waited_ms < hold_ms:
        return _to(state, "recovering", now_ms, "recovering")
    fired_ms = now_ms if state.fired_ms is None else state.fired_ms
    after, change = _to(state, "normal", now_ms, "resolved", fired_ms=None)
    return after, None if change is None else replace(change, lasted_ms=max(0, now_ms - fired_ms), because=because)


def _to(
    state: AlertState, standing: Standing, now_ms: int, event: Event, **changes: object
) -> tuple[AlertState, Transition | None]:
    """Go to a state; being there already is no change."""
    if state.standing == standing:
        return state, None
    if standing != "error":
        changes["problem"] = ""
    after = replace(state, standing=standing, since_ms=now_ms, **changes)  # type: ignore[arg-type]
    return after, Transition(event, state.standing, standing, now_ms)


def _measured(state: AlertState, seen: Observation) -> AlertState:
    without_data = seen.seen in ("no_data", "error")
    if without_data:  # what was known last is still worth to be shown
        return state if state.without_data else replace(state, without_data=True)
    if (seen.value, seen.threshold, False) == (state.value, state.threshold, state.without_data):
        return state
    return replace(state, value=seen.value, threshold=seen.threshold, without_data=False)


def _clamped(state: AlertState, now_ms: int) -> AlertState:
    """Let nothing have begun in the future, where the clock was set back: it would wait for longer than it should."""
    if state.since_ms <= now_ms and (not state.fires or state.fires[-1] <= now_ms):
        return state
    return replace(
        state, since_ms=min(state.since_ms, now_ms), fires=tuple(min(moment, now_ms) for moment in state.fires)
    )


def _forget(state: AlertState, now_ms: int) -> AlertState:
    # While it fires, what made it flap isn't forgotten: else it were resolved in between.
    if state.active or not state.fires or state.fires[0] > now_ms - FLAP_WINDOW_MS:
        return state
    return replace(state, fires=tuple(moment for moment in state.fires if moment > now_ms - FLAP_WINDOW_MS))
