"""Rules as YAML: written for people, read with care (no aliases, bounded size and depth, no key twice)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import yaml

from alerts.errors import AlertError, BadSetting, Fault
from alerts.rules import Rule, rule_of

MOST_CHARS: Final = 1_000_000
_MOST_RULES: Final = 5_000
_DEEPEST: Final = 8
_MOST_NODES: Final = 200_000
# The one in C, where PyYAML was built with it: a megabyte takes it a second less.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class BadYaml(AlertError, ValueError):  # noqa: N818 - it names the text, not a fault of the program
    """A text that isn't a list of rules.

    Args:
        faults: Everything that is wrong with it.
    """

    def __init__(self, faults: tuple[str, ...]) -> None:
        self.faults = faults
        super().__init__("; ".join(faults))


def rules_to_yaml(rules: Iterable[Rule]) -> str:
    """Return rules as a text that `rules_from_yaml` reads.

    Args:
        rules: In the order in which they are to stand there.
    """
    documents = [rule.document() for rule in rules]
    return yaml.safe_dump({"rules": documents}, sort_keys=False, allow_unicode=True, width=120)


def rules_from_yaml(text: str) -> tuple[Rule, ...]:
    """Read rules.

    Args:
        text: `rules:` and a list, or the list alone.

    Raises:
        BadYaml: Some of it can't be used; the error says everything that is wrong, by rule and field.
    """
    documents = _documents(_loaded(text))
    rules: list[Rule] = []
    faults: list[str] = []
    for number, document in enumerate(documents, start=1):
        if not isinstance(document, dict) or not all(isinstance(key, str) for key in document):
            faults.append(f"rule {number}: takes fields with their values, like name: Low success")
            continue
        try:
            rules.append(rule_of(document))
        except BadSetting as exc:
            faults.append(str(exc))
    seen: set[str] = set()
    for rule in rules:
        if rule.id in seen:
            faults.append(f"rule {rule.name}: " + str(Fault("id", f"takes another one, {rule.id} stands there twice")))
        seen.add(rule.id)
    if faults:
        raise BadYaml(tuple(faults))
    return tuple(rules)


def _documents(loaded: Any) -> list[Any]:
    if isinstance(loaded, dict) and set(loaded) == {"rules"}:
        loaded = loaded["rules"]
    if not isinstance(loaded, list):
        raise BadYaml(("takes `rules:` and a list of rules below it",))
    if len(loaded) > _MOST_RULES:
        raise BadYaml((f"takes at most {_MOST_RULES:,} rules, not {len(loaded):,}",))
    return loaded


def _loaded(text: str) -> Any:
    if len(text) > MOST_CHARS:
        raise BadYaml((f"takes at most {MOST_CHARS:,} characters, not {len(text):,}",))
    try:
        _check(text)
        return yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        where = "" if mark is None else f"line {mark.line + 1}: "
        raise BadYaml((f"{where}{exc.problem or exc.context or 'is no YAML'}",)) from exc
    except (yaml.YAMLError, ValueError, OverflowError) as exc:  # a character, a date or a number that can't be
        raise BadYaml((" ".join(str(exc).split())[:200],)) from exc


def _check(text: str) -> None:
    """Look at what stands there before anything is built of it."""
    # Of each open mapping the keys so far, None for a list; and whether a key comes next.
    open_: list[set[str] | None] = []
    key_next: list[bool] = []
    for count, event in enumerate(yaml.parse(text, Loader=_Loader)):
        if count > _MOST_NODES:
            raise BadYaml((f"takes at most {_MOST_NODES:,} values",))
        mark: Any = event.start_mark
        where = f"line {mark.line + 1}: "
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise BadYaml((f"{where}takes no anchors and aliases (& and *)",))
        if isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            open_.pop()
            key_next.pop()
            continue
        is_value = isinstance(event, (yaml.ScalarEvent, yaml.MappingStartEvent, yaml.SequenceStartEvent))
        if is_value and open_ and open_[-1] is not None:
            if key_next[-1]:
                if not isinstance(event, yaml.ScalarEvent):
                    raise BadYaml((f"{where}takes texts as names of fields",))
                if event.value in open_[-1]:
                    raise BadYaml((f"{where}{event.value} stands there twice",))
                open_[-1].add(event.value)
            key_next[-1] = not key_next[-1]
        if isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            open_.append(set() if isinstance(event, yaml.MappingStartEvent) else None)
            key_next.append(True)
            if len(open_) > _DEEPEST:
                raise BadYaml((f"{where}takes at most {_DEEPEST} levels",))
