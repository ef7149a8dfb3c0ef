"""Alert rules: what is measured, over which window, compared with what, and who is told how often."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from alerts.errors import parsed
from alerts.matchers import Matchers, matcher
from alerts.message import checked
from alerts.units import Length

What = Literal[
    "success_rate", "usable_success_rate", "error_count", "mean_ms", "p95_ms", "p99_ms", "items", "yield",
    "field_coverage", "retries", "throughput", "no_data", "green_but_empty", "run_failed", "run_missed", "run_late",
    "run_overlapping", "run_lost", "run_too_long",
]  # fmt: skip
Severity = Literal["info", "warning", "critical"]
NoDataPolicy = Literal["ok", "no_data", "firing"]
Kind = Literal["all", "navigation", "scrape"]

RUN_WHATS: Final[frozenset[What]] = frozenset(
    {"run_failed", "run_missed", "run_late", "run_overlapping", "run_lost", "run_too_long"}
)
SCRAPE_WHATS: Final[frozenset[What]] = frozenset(
    {"usable_success_rate", "items", "yield", "field_coverage", "green_but_empty"}
)
# What a smaller number of is worse; of everything else a larger one is.
LESS_IS_WORSE: Final[frozenset[What]] = frozenset(
    {"success_rate", "usable_success_rate", "items", "yield", "field_coverage", "throughput"}
)
UNITS: Final[Mapping[What, str]] = {
    "success_rate": "%", "usable_success_rate": "%", "error_count": "errors", "mean_ms": "ms", "p95_ms": "ms",
    "p99_ms": "ms", "items": "items", "yield": "items a scrape", "field_coverage": "%", "retries": "retries a page",
    "throughput": "metrics/min", "no_data": "s", "green_but_empty": "%", "run_failed": "runs in a row",
    "run_missed": "runs", "run_late": "runs", "run_overlapping": "runs", "run_lost": "runs", "run_too_long": "runs",
}  # fmt: skip
# By jobs there are runs, which either go well or not and take their time.
_OF_JOBS: Final[frozenset[What]] = RUN_WHATS | {"success_rate", "error_count", "mean_ms", "items", "no_data"}

ID: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_BY: Final = re.compile(r"source|domain|job|fleet|label:[A-Za-z0-9_.-]{1,64}")
_LONGEST_WINDOW_S: Final = 30 * 86_400.0  # as long as minutes are kept
# What only single metrics know: of more of them it couldn't be read and kept what they add up to. They are kept for a
# day at least.
LONGEST_DETAIL_WINDOW_S: Final = 86_400.0


def _by(value: str) -> str:
    if not _BY.fullmatch(value):
        raise ValueError("takes source, domain, job, fleet or label:<key>")
    return value


def _id(value: str) -> str:
    if not ID.fullmatch(value):
        raise ValueError("takes 1 to 64 small letters, digits, - and _, beginning with a letter or digit")
    return value


def _finite(value: float | None) -> float | None:
    if value is not None and not math.isfinite(value):
        raise ValueError("takes a number that is finite")
    return value


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
        raise ValueError("takes a time zone like Europe/Berlin or UTC") from exc
    return value


Number = Annotated[float, AfterValidator(_finite)]
Zone = Annotated[str, AfterValidator(_zone)]
SettingId = Annotated[str, AfterValidator(_id)]


class Baseline(BaseModel):
    """What is usual: the median of the last days at this hour.

    Args:
        days: How many days are looked at.
        tolerance_percent: How far from the usual a value may be.
        recover_percent: How near to the usual it must be again to be fine; by default as far as the tolerance.
        same_weekday: Look at the same day of the last weeks instead.
        timezone: What hour it is, is told in this zone: where daylight saving time comes, habits go along.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    days: int = Field(7, ge=2, le=56)
    tolerance_percent: Number = Field(50, ge=0, le=100_000)
    recover_percent: Number | None = Field(None, ge=0, le=100_000)
    same_weekday: bool = False
    timezone: Zone = "UTC"

    @model_validator(mode="after")
    def _recovers(self) -> Self:
        if self.recover_percent is not None and self.recover_percent > self.tolerance_percent:
            raise ValueError("recover_percent: takes a number up to tolerance_percent")
        return self


class Rule(BaseModel):
    """An alert rule; fields are named as in YAML, lengths of time are seconds (`window_s` is written `window: 5m`).

    Args:
        id: Its name for programs; it stays when its name changes.
        name: Its name for people.
        description: What to do about it.
        enabled: Whether it is evaluated.
        what: What is measured, in the unit of `UNITS`.
        kind: Of navigations, scrapes or both.
        field: The field whose coverage is measured (`field_coverage`); who never had it is covered to 0%: leave such
            ones out with `only`, or compare with a baseline.
        window_s: Over which time; for `no_data` how long a source is missed before it is taken for gone; for `run_lost`
            how old the last sign of life may be.
        by: One alert for each source, domain, job, value of a label, or one for the whole fleet.
        only: Matchers: which sources, domains, jobs and labels.
        when: Whether values below or above are bad; by default what is worse.
        threshold: The fixed threshold.
        recover: Where a value must be again to be fine; by default at the threshold.
        baseline: Compare with what is usual; together with a threshold, both must be crossed.
        for_s: How long a value must be bad before the alert fires.
        keep_firing_for_s: How long it must be fine before the alert is over.
        min_samples: With less in the window there is no value; counted are items with `field_coverage`.
        no_data: Without a value: fine, shown as no data, or bad.
        severity: How bad it is.
        message: What is told, with names in braces (`alerts.message.NAMES`); "" for the usual words.
        unless: Ids of rules that say more of the same: while one of them fires about the same source (and as long
            afterwards as the window reaches), nobody is told of this rule's alert.
        labels: Further labels of its alerts, for silences and receivers.
        channels: Ids of the channels that are told; none for all of them, and all where none of these is there now.
        repeat_s: How often those that still fire are told again; 0 for never.
        interval_s: How often it is evaluated.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    id: SettingId
    name: str = Field(min_length=1, max_length=100)
    description: str = Field("", max_length=2_000)
    enabled: bool = True
    what: What
    kind: Kind = "all"
    field: str = Field("", max_length=64)
    window_s: Length = Field(600.0, alias="window", ge=10, le=_LONGEST_WINDOW_S)
    by: Annotated[str, AfterValidator(_by)] = "source"
    only: Matchers = ()
    when: Literal["below", "above"] | None = None
    threshold: Number | None = None
    recover: Number | None = None
    baseline: Baseline | None = None
    for_s: Length = Field(0.0, alias="for")
    keep_firing_for_s: Length = Field(0.0, alias="keep_firing_for")
    min_samples: int = Field(1, ge=1, le=10_000_000)
    no_data: NoDataPolicy = "ok"
    severity: Severity = "warning"
    message: Annotated[str, AfterValidator(checked)] = ""
    unless: Annotated[tuple[SettingId, ...], BeforeValidator(_listed)] = Field((), max_length=10)
    labels: dict[str, str] = Field(default_factory=dict, max_length=20)
    channels: Annotated[tuple[SettingId, ...], BeforeValidator(_listed)] = Field((), max_length=50)
    repeat_s: Length = Field(12 * 3_600.0, alias="repeat")
    interval_s: Length = Field(2.0, alias="interval", ge=1, le=86_400)

    @property
    def below(self) -> bool:
        """Whether values below are bad, else those above."""
        return self.when == "below" if self.when else self.what in LESS_IS_WORSE

    @property
    def of_detail(self) -> bool:
        """Whether it needs what only single metrics know: domains and labels."""
        if self.by == "job" or self.what == "no_data":
            return False
        return self.by not in ("source", "fleet") or any(matcher(text).name != "source" for text in self.only)

    @property
    def label_key(self) -> str | None:
        """The key of the label that alerts are told apart by, None when they are by something else."""
        return self.by.removeprefix("label:") if self.by.startswith("label:") else None

    def document(self) -> dict[str, Any]:
        """Return the rule as people write it: without what is by default, lengths of time as texts."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True)

    @field_validator("labels")
    @classmethod
    def _short(cls, labels: dict[str, str]) -> dict[str, str]:
        for key, value in labels.items():
            if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}", key) or len(value) > 200:
                raise ValueError("takes names of letters, digits, _ . - with values of at most 200 characters")
        return labels

    @field_validator("repeat_s")
    @classmethod
    def _not_too_often(cls, repeat_s: float) -> float:
        if 0 < repeat_s < 60:
            raise ValueError("takes 0s (never again) or at least 1m")
        return repeat_s

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        for field, message in _contradictions(self):
            raise ValueError(f"{field}: {message}")
        return self


def rule_of(document: Mapping[str, Any]) -> Rule:
    """Make a rule from a document.

    Args:
        document: As `Rule.document` returns it, or as a person wrote it.

    Raises:
        BadSetting: It can't be used; the error says which fields and what they take.
    """
    name = document.get("name") or document.get("id") or "without a name"
    return parsed(Rule, document, what=f"rule {str(name)[:100]}")


def _contradictions(rule: Rule) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    if rule.threshold is None and rule.baseline is None:
        found.append(("threshold", "takes a number, unless there is a baseline"))
    if rule.recover is not None and rule.threshold is None:
        found.append(("recover", "goes with a threshold"))
    elif rule.recover is not None and rule.threshold is not None:
        wrong = rule.recover < rule.threshold if rule.below else rule.recover > rule.threshold
        if wrong:
            found.append(("recover", f"takes a number {'from' if rule.below else 'up to'} {rule.threshold:g}"))
    if rule.what == "field_coverage" and not rule.field:
        found.append(("field", "takes the name of the field whose coverage is measured"))
    if rule.what != "field_coverage" and rule.field:
        found.append(("field", "goes with what: field_coverage only"))
    if rule.what in RUN_WHATS and rule.by != "job":
        found.append(("by", f"takes job with what: {rule.what}"))
    if rule.by == "job" and rule.what not in _OF_JOBS:
        found.append(("what", f"takes, by job, one of {', '.join(sorted(_OF_JOBS))}"))
    if rule.what in RUN_WHATS and rule.baseline is not None:
        found.append(("baseline", f"can't be used with what: {rule.what}"))
    if rule.what == "no_data" and rule.below:
        found.append(("when", "takes above with what: no_data"))
    if rule.what == "no_data" and rule.threshold is None:
        found.append(("threshold", "takes seconds of silence with what: no_data"))
    names = {matcher(text).name for text in rule.only}
    if rule.what == "no_data" and rule.by not in ("source", "job", "fleet"):
        found.append(("by", "takes source, job or fleet with what: no_data"))
    elif rule.what == "no_data" and rule.by != "job" and names - {"source"}:
        found.append(("only", "takes matchers of source with what: no_data"))
    if rule.by == "job" and names - {"job"}:
        found.append(("only", "takes matchers of job with by: job"))
    if rule.baseline is not None and names - {"source"}:
        found.append(
            ("only", "takes matchers of source with a baseline: what is usual isn't known of domains and labels")
        )
    if rule.baseline is not None and rule.by not in ("source", "fleet"):
        found.append(
            ("baseline", "goes with by: source or fleet: what is usual isn't known of domains, labels and jobs")
        )
    if rule.of_detail and rule.window_s > LONGEST_DETAIL_WINDOW_S:
        found.append(("window", "takes at most 1d by domain or label, or with matchers of these"))
    if rule.what in SCRAPE_WHATS and rule.kind == "navigation":
        found.append(("kind", f"takes scrape or all with what: {rule.what}"))
    if rule.what == "retries" and rule.kind == "scrape":
        found.append(("kind", "takes navigation or all with what: retries"))
    return found
