"""The words of notifications: what fires, how bad, since when, what they have in common, what to do, and a link."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from alerts.channels import Channel
from alerts.message import filled
from alerts.notices import Entry, Notice
from alerts.phrases import limit, measured
from alerts.units import said

MOST_NAMED: Final = 20  # of those that fire; "and 12 more" for the others
_MOST_NAME_CHARS: Final = 200
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f\u2028\u2029\ud800-\udfff]+")
# What a chat service would take for a call to everybody: names come from scrapers, which come from anywhere.
_CALLS: Final = re.compile(r"(@)(?=everyone|here|channel|all\b)|(<)(?=[@!#])", re.IGNORECASE)
_NOUNS: Final[Mapping[str, tuple[str, str]]] = {
    "source": ("source", "sources"), "domain": ("domain", "domains"), "job": ("job", "jobs"),
}  # fmt: skip

Link = Callable[[Notice], str | None]


@dataclass(frozen=True, slots=True)
class Message:
    """A message in words.

    Args:
        title: One line.
        plain: The text, without any markup.
        markdown: The same with names as code, which every dialect of Markdown has.
    """

    title: str
    plain: str
    markdown: str


class Texts:
    """Puts notifications into words.

    Args:
        link: Returns the address of the page that shows what a notification is about, None without one.
    """

    def __init__(self, link: Link = lambda _notice: None) -> None:
        self._link = link

    def link(self, notice: Notice) -> str | None:
        """Return the address of the page that shows what a notification is about."""
        return self._link(notice)

    def message(self, notices: Sequence[Notice], *, most_named: int = MOST_NAMED) -> Message:
        """Put one notification, or several that waited for each other, into words.

        Args:
            notices: At least one, oldest first.
            most_named: How many alerts are named; the others are counted.
        """
        if len(notices) == 1:
            lines = self._lines(notices[0], most_named)
            return Message(title(notices[0]), _plain(lines), _markdown(lines))
        each = max(1, most_named // len(notices))
        parts: list[str] = []
        for notice in notices[: most_named or 1]:
            parts += [f"# {title(notice)}", *self._lines(notice, each, short=True), ""]
        if len(notices) > most_named:
            parts.append(f"and {len(notices) - most_named:,} more notifications")
        return Message(_many(notices), _plain(parts), _markdown(parts))

    def of_channel(self, channel: Channel, notices: Sequence[Notice], *, most_named: int = MOST_NAMED) -> Message:
        """Put notifications into the words of a channel; the usual ones where it says nothing.

        Args:
            channel: Whose templates are used: for single notifications.
            notices: At least one, oldest first.
            most_named: How many alerts are named.
        """
        usual = self.message(notices, most_named=most_named)
        if len(notices) > 1 or not (channel.title or channel.body):
            return usual
        facts = self._facts(notices[0], usual)
        head = _line(filled(channel.title, facts)) if channel.title else usual.title
        body = filled(channel.body, facts).strip() if channel.body else ""
        return Message(head or usual.title, body or usual.plain, body or usual.markdown)

    def _facts(self, notice: Notice, usual: Message) -> dict[str, str]:
        keys = [_name(entry) for entry in _about(notice)]
        return {
            "title": usual.title, "body": usual.plain, "what": _what(notice), "severity": notice.severity,
            "rule": _line(notice.rule_name), "description": _tame(notice.description), "keys": _listed(keys, notice),
            "count": f"{_count(notice):,}", "reason": _reasons(notice), "since": _moment(notice.since_ms, notice.at_ms),
            "duration": _lasted(_duration_s(notice)), "link": self._link(notice) or "",
            "time": _moment(notice.at_ms, None), "field": _line(notice.field),
        }  # fmt: skip

    def _lines(self, notice: Notice, most_named: int, *, short: bool = False) -> list[str]:
        lines: list[str] = []
        if notice.what == "test":
            lines.append("This is a test of Scrapeboard's notifications: what you read would have been an alert.")
        firing = notice.firing[:most_named]
        if notice.firing_count == 1 and firing:
            lines.append(_sentence(notice, firing[0]))
        elif firing:
            new = sum(entry.new for entry in notice.firing)
            told = f", {new:,} of them new" if notice.what == "firing" and new < notice.firing_count else ""
            lines.append(f"{_counted(notice, notice.firing_count)} are affected{told}:")
            lines += [f"- {_sentence(notice, entry, mark=bool(told))}" for entry in firing]
            lines += _more(notice.firing_count - len(firing))
        resolved = notice.resolved[:most_named]
        if resolved:
            if notice.resolved_count == 1 and not firing:
                lines.append(_over(notice, resolved[0]))
            else:
                be = "is" if notice.resolved_count == 1 else "are"
                lines.append(f"{_counted(notice, notice.resolved_count)} {be} fine again:")
                lines += [f"- {_over(notice, entry)}" for entry in resolved]
                lines += _more(notice.resolved_count - len(resolved))
        if reasons := _reasons(notice):
            lines.append(f"In common: {reasons}" if _count(notice) > 1 else f"Mostly: {reasons}")
        if notice.description and notice.what != "resolved" and not short:
            lines.append(f"What to do: {_tame(notice.description)}")
        if (link := self._link(notice)) is not None:
            lines.append(link)
        return lines


def title(notice: Notice) -> str:
    """Return the title of a notification: what it is, which rule, where; in one line that a phone shows.

    Args:
        notice: What is told.
    """
    about = _about(notice)
    where = f"{_name(about[0])}" if _count(notice) == 1 and about else _counted(notice, _count(notice))
    domain = notice.reasons.get("domain", "")
    if _count(notice) > 1 and domain and notice.by != "domain":
        where += f" ({_line(domain)})"
    head = f"{_line(notice.rule_name)}: {where}"
    if notice.what == "test":
        return "TEST: a notification of Scrapeboard"
    if notice.what == "resolved":
        return f"RESOLVED after {_lasted(_duration_s(notice))} · {head}"
    if notice.what == "still_firing":
        return f"STILL FIRING for {_lasted(_duration_s(notice))} · {head}"
    return f"{notice.severity.upper()} · {head}"


def sample_notice(at_ms: int) -> Notice:
    """Return what a test sends: an alert that could be one.

    Args:
        at_ms: The moment, epoch ms.
    """
    entry = Entry("example-shop", 42.0, 90.0, at_ms - 8 * 60_000, new=True)
    return Notice(
        what="test", rule_id="test", rule_name="Test", severity="info", measure="success_rate", by="source",
        group_key="test", at_ms=at_ms, reasons={"domain": "shop.example"}, since_ms=entry.fired_ms, firing_count=1,
        firing=(entry,), description="Nothing: a test needs no answer.",
    )  # fmt: skip


def preview(channel: Channel, texts: Texts, at_ms: int) -> tuple[str, str]:
    """Return (title, text) of a test, in the words of a channel.

    Args:
        channel: Whose templates are used.
        texts: Who writes.
        at_ms: The moment, epoch ms.
    """
    message = texts.of_channel(channel, [sample_notice(at_ms)])
    return message.title, message.plain


# The parts of a text ------------------------------------------------------------------------------------------------


def _about(notice: Notice) -> tuple[Entry, ...]:
    return notice.firing or notice.resolved


def _count(notice: Notice) -> int:
    return notice.firing_count or notice.resolved_count


def _counted(notice: Notice, count: int) -> str:
    one, many = _NOUNS.get(notice.by, ("alert", "alerts"))
    return f"{count:,} {one if count == 1 else many}"


def _what(notice: Notice) -> str:
    return {"firing": "firing", "still_firing": "still firing", "resolved": "resolved"}.get(notice.what, "test")


def _name(entry: Entry) -> str:
    return _line(entry.key) or "the fleet"


def _sentence(notice: Notice, entry: Entry, *, mark: bool = False) -> str:
    if entry.message:
        said_of = _line(entry.message)
    else:
        bound = limit(notice.measure, entry.threshold)
        said_of = measured(notice.measure, entry.value, _line(notice.field)) + (f" ({bound})" if bound else "")
    since = f"since {_moment(entry.fired_ms, notice.at_ms)}"
    lasted_s = (notice.at_ms - entry.fired_ms) / 1000
    lasts = f" ({_lasted(lasted_s)})" if lasted_s >= 60 else ""
    return f"`{_name(entry)}`: {said_of}, {since}{lasts}{', new' if mark and entry.new else ''}"


def _over(notice: Notice, entry: Entry) -> str:
    ended_ms = entry.resolved_ms if entry.resolved_ms is not None else notice.at_ms
    because = f", because there is {_line(entry.because)}" if entry.because else ""
    value = (
        f", now {measured(notice.measure, entry.value, _line(notice.field))}"
        if entry.value is not None and not because
        else ""
    )
    when = f"{_moment(entry.fired_ms, notice.at_ms)} – {_moment(ended_ms, notice.at_ms)}"
    return f"`{_name(entry)}`: fired for {_lasted((ended_ms - entry.fired_ms) / 1000)} ({when}){value}{because}"


def _more(count: int) -> list[str]:
    return [f"- and {count:,} more"] if count > 0 else []


def _listed(names: Sequence[str], notice: Notice) -> str:
    rest = _count(notice) - min(len(names), MOST_NAMED)
    return ", ".join(names[:MOST_NAMED]) + (f" and {rest:,} more" if rest > 0 else "")


def _reasons(notice: Notice) -> str:
    return ", ".join(
        f"{_line(kind.removeprefix('label:'))} {_line(value)}"
        for kind, value in notice.reasons.items()
        if not (kind == notice.by and _count(notice) == 1)
    )


def _many(notices: Sequence[Notice]) -> str:
    kinds = [_what(notice) for notice in notices]
    parts = [f"{kinds.count(kind)} {kind}" for kind in ("firing", "still firing", "resolved", "test") if kind in kinds]
    return f"{len(notices):,} notifications: {', '.join(parts)}"


def _duration_s(notice: Notice) -> float:
    if notice.what == "resolved" and notice.resolved:
        ends = [entry.resolved_ms for entry in notice.resolved if entry.resolved_ms is not None]
        return (max(ends, default=notice.at_ms) - notice.since_ms) / 1000
    return (notice.at_ms - notice.since_ms) / 1000


def _lasted(seconds: float) -> str:
    """Say how long something lasted; nobody wants to read the seconds of minutes."""
    return said(round(seconds / 60) * 60 if seconds >= 120 else seconds)


def _moment(moment_ms: int, near_ms: int | None) -> str:
    """Write a moment; without its day when it is the day of another one."""
    moment = dt.datetime.fromtimestamp(moment_ms / 1000, dt.UTC)
    same = near_ms is not None and dt.datetime.fromtimestamp(near_ms / 1000, dt.UTC).date() == moment.date()
    return f"{moment:%H:%M} UTC" if same else f"{moment:%Y-%m-%d %H:%M} UTC"


def _tame(text: str) -> str:
    return _CALLS.sub(lambda found: found[0] + "\u200b", text)  # a space without width


def _line(text: str) -> str:
    text = _CONTROL.sub(" ", text).replace("`", "'").strip()
    return _tame(text if len(text) <= _MOST_NAME_CHARS else text[: _MOST_NAME_CHARS - 1] + "…")


def _plain(lines: Sequence[str]) -> str:
    return "\n".join(line.removeprefix("# ").replace("`", "") for line in lines).strip()


def _markdown(lines: Sequence[str]) -> str:
    """Write lines as Markdown: what a scraper is called mustn't be markup anywhere, nor a link in disguise."""
    written = [line if line.startswith(("http://", "https://")) else line.replace("<", "‹") for line in lines]
    parts = [f"**{line.removeprefix('# ')}**" if line.startswith("# ") else line for line in written]
    # Without an empty line in between, Markdown would run one line into the next.
    return "\n".join(part if part.startswith("- ") else f"\n{part}" for part in parts).strip()
