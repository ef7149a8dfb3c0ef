"""What a query string says: every part is read, and what can't be understood becomes the default and a sentence."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final
from urllib.parse import parse_qsl

from collector.fields import (
    MAX_LABEL_KEY_CHARS,
    MAX_LABEL_VALUE_CHARS,
    MAX_NAME_CHARS,
    MAX_OUTCOME_CHARS,
    MAX_RUN_ID_CHARS,
    MAX_URL_CHARS,
)
from components.timerange import DEFAULT_FROM, DEFAULT_TO, MomentError, parse_moment
from db.error_kinds import MAX_KIND_CHARS

RESULTS: Final = ("all", "ok", "failed")
KINDS: Final = ("all", "navigation", "scrape")
COMPARES: Final = ("", "before", "day", "week")
METRICS: Final = ("p95", "mean", "success", "volume", "items", "errors")
LONGEST_Q: Final = 200
LONGEST_LABEL: Final = MAX_LABEL_KEY_CHARS + 1 + MAX_LABEL_VALUE_CHARS
MOST_SOURCES: Final = 100
MOST_OUTCOMES: Final = 20
MOST_LABELS: Final = 20
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
# What these would find in stored labels can't be told from the commas and colons between them (db.labels).
_NO_KEY_BEGINS_WITH: Final = (",", ":", "}")
# Any moment does to judge how a time is written.
_SOME_MOMENT_MS: Final = 1_700_000_000_000


class ViewText:
    """The parts of one query string; reading one that is wrong adds to `problems`.

    Args:
        search: The query string, with or without the question mark.
    """

    def __init__(self, search: str) -> None:
        self.problems: list[str] = []
        self._asked: dict[str, list[str]] = {}
        try:
            pairs = parse_qsl(search.removeprefix("?"), keep_blank_values=True, max_num_fields=1_000)
        except ValueError:
            self.problems.append("The address holds too many parameters: all were left out.")
            return
        for name, value in pairs:
            self._asked.setdefault(name, []).append(value)

    def range(self) -> tuple[str, str]:
        """Return how the range's start and end are written."""
        from_ = clean(self._last("from")) or DEFAULT_FROM
        to = clean(self._last("to")) or DEFAULT_TO
        for text, end in ((from_, False), (to, True)):
            try:
                parse_moment(text, _SOME_MOMENT_MS, end=end)
            except MomentError as exc:
                self.problems.append(f"{exc.message} Showing the last 15 minutes.")
                return DEFAULT_FROM, DEFAULT_TO
        return from_, to

    def sources(self) -> tuple[str, ...]:
        """Return the chosen sources, sorted."""
        cleaned = {clean(name) for name in self._asked.get("source", [])} - {""}
        usable = sorted(name for name in cleaned if len(name) <= MAX_NAME_CHARS)
        if len(usable) < len(cleaned):
            self.problems.append(f"A source's name has at most {MAX_NAME_CHARS} characters: longer ones were left out.")
        return self._first(usable, MOST_SOURCES, "sources")

    def kind(self) -> str:
        """Return `all`, `navigation` or `scrape`."""
        return self._one_of("kind", KINDS, "type", "all, navigation or scrape. Showing all")

    def result(self) -> str:
        """Return `all`, `ok` or `failed`."""
        return self._one_of("result", RESULTS, "result", "all, ok or failed. Showing all")

    def compare(self) -> str:
        """Return what to compare with: `before`, `day`, `week`, or nothing."""
        return self._one_of("compare", COMPARES, "comparison", "before, day or week. Comparing with nothing")

    def metric(self) -> str:
        """Return what sources are compared by."""
        return self._one_of("metric", METRICS, "metric", f"{', '.join(METRICS)}. Showing {METRICS[0]}")

    def outcomes(self) -> tuple[str, ...]:
        """Return the chosen outcomes, sorted."""
        asked = {text.strip() for text in self._asked.get("outcome", [])} - {""}
        usable = sorted(text for text in asked if len(text) <= MAX_OUTCOME_CHARS and not _CONTROL.search(text))
        if len(usable) < len(asked):
            self.problems.append(
                f"An outcome has at most {MAX_OUTCOME_CHARS} characters and no control characters: "
                "others were left out."
            )
        return self._first(usable, MOST_OUTCOMES, "outcomes")

    def error(self) -> str:
        """Return a kind of error as `db.error_kinds` writes it; empty for all.

        Kinds are told as they are: scrapers' texts hold control characters, and one that was cut may end in a space.
        """
        error = self._last("error")
        if not error.strip():
            return ""
        if len(error) <= MAX_KIND_CHARS:
            return error
        self.problems.append(f"A kind of error has at most {MAX_KIND_CHARS} characters: it was left out.")
        return ""

    def labels(self) -> tuple[str, ...]:
        """Return the chosen labels, `key=value` each, sorted."""
        asked = set(self._asked.get("label", [])) - {""}
        usable = []
        for label in sorted(asked):
            problem = label_problem(label)
            if problem:
                self.problems.append(problem)
            else:
                usable.append(label)
            if len(self.problems) > MOST_LABELS:  # enough is told
                break
        return self._first(usable, MOST_LABELS, "labels")

    def q(self) -> str:
        """Return the text that URLs must contain."""
        return clean(self._last("q"))[:LONGEST_Q].strip()

    def url(self) -> str:
        """Return the one URL that is asked for; empty for all."""
        return self._whole("url", MAX_URL_CHARS, "A URL")

    def run(self) -> str:
        """Return the id of the one run that is asked for; empty for all."""
        return self._whole("run", MAX_RUN_ID_CHARS, "A run’s id")

    def live(self) -> bool:
        """Return whether the page follows."""
        return self._last("live") not in ("0", "false", "no")

    def _last(self, name: str) -> str:
        return self._asked[name][-1] if name in self._asked else ""

    def _whole(self, name: str, longest: int, what: str) -> str:
        """Return a text that means nothing when it is cut."""
        text = clean(self._last(name))
        if len(text) <= longest:
            return text
        self.problems.append(f"{what} has at most {longest} characters: it was left out.")
        return ""

    def _one_of(self, name: str, choices: Collection[str], what: str, advice: str) -> str:
        default = next(iter(choices))
        said = clean(self._last(name)) or default
        if said in choices:
            return said
        self.problems.append(f"“{said[:40]}” is no {what}: choose {advice}.")
        return default

    def _first(self, chosen: list[str], most: int, what: str) -> tuple[str, ...]:
        if len(chosen) > most:
            self.problems.append(f"At most {most} {what} can be chosen at once: the rest were left out.")
        return tuple(chosen[:most])


def label_problem(label: str) -> str:
    """Say what is wrong with a label that somebody asks for, or nothing.

    Args:
        label: `key=value`.
    """
    if _CONTROL.search(label):
        return "A label with control characters can't be asked for: it was left out."
    key, equals, _ = label.partition("=")
    if not equals or not key:
        return f"“{label[:40]}” is no label: write key=value."
    if len(label) > LONGEST_LABEL or len(key) > MAX_LABEL_KEY_CHARS:
        return (
            f"A label's key has at most {MAX_LABEL_KEY_CHARS} characters, its value {MAX_LABEL_VALUE_CHARS}: "
            f"“{label[:40]}…” was left out."
        )
    if key.startswith(_NO_KEY_BEGINS_WITH):
        return f"A label whose key begins with “{key[0]}” can't be asked for: it was left out."
    return ""


def clean(text: str) -> str:
    """Return a text without control characters and without space around it.

    Args:
        text: Any text.
    """
    return _CONTROL.sub("", text).strip()
