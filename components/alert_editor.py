"""The form of an alert rule: every field in plain words, and what it says as a document."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any, Final

import dash_mantine_components as dmc
from dash import dcc, html
from dash.development.base_component import Component

from alerts.message import NAMES
from alerts.rules import UNITS, Rule
from alerts.units import written
from alerts.yaml_text import MOST_CHARS, BadYaml
from components.alert_sections import EDITOR_FAULTS, FORM_FAULTS, faults_line

FIELD: Final = "alerts-rule-field"  # type of the ids of its fields
BUTTON: Final = "alerts-rule-button"
PREVIEW: Final = "alerts-rule-preview"
UPLOAD: Final = "alerts-yaml-file"
_MOST_BYTES: Final = 4 * MOST_CHARS  # as UTF-8 at the longest
_LISTS: Final = frozenset({"only", "unless", "channels"})
_BASELINE: Final = ("days", "tolerance_percent", "recover_percent", "same_weekday", "timezone")
# Descriptions below, so that the inputs of a line stand side by side.
_ORDER: Final = ["label", "input", "error", "description"]
WHATS: Final[Mapping[str, str]] = {
    "success_rate": "Success rate", "usable_success_rate": "Usable success rate (pages with content)",
    "error_count": "Errors", "mean_ms": "Mean duration", "p95_ms": "p95 duration", "p99_ms": "p99 duration",
    "items": "Items", "yield": "Items a scrape", "field_coverage": "Coverage of a field",
    "retries": "Retries a page", "throughput": "Throughput", "no_data": "No data (silence)",
    "green_but_empty": "Green but no items", "run_failed": "Runs failed in a row", "run_missed": "Runs missed",
    "run_late": "Runs late", "run_overlapping": "Runs overlapping", "run_lost": "Runs lost",
    "run_too_long": "Runs too long",
}  # fmt: skip


def rule_form(rule: Rule | None, *, can_delete: bool, is_default: bool) -> Component:
    """Build the form.

    Args:
        rule: What it shows; None for a new rule.
        can_delete: Whether there is something to delete.
        is_default: Whether the rule is there from the start: deleting it switches it off.
    """
    values = values_of(rule)

    def text(name: str, label: str, help: str = "", **props: Any) -> Component:
        field: Component = dmc.TextInput(
            id=_id(name),
            label=label,
            description=help or None,
            inputWrapperOrder=_ORDER,
            value=values[name],
            debounce=500,
            **props,
        )
        return field

    def area(name: str, label: str, help: str = "", rows: int = 2) -> Component:
        field: Component = dmc.Textarea(
            id=_id(name), label=label, description=help or None, inputWrapperOrder=_ORDER, value=values[name],
            debounce=500, autosize=True, minRows=rows, maxRows=8,
        )  # fmt: skip
        return field

    def choice(name: str, label: str, choices: Mapping[str, str], help: str = "") -> Component:
        field: Component = dmc.Select(
            id=_id(name), label=label, description=help or None, inputWrapperOrder=_ORDER, value=values[name],
            allowDeselect=False, data=[{"value": value, "label": words} for value, words in choices.items()],
        )  # fmt: skip
        return field

    yes = {"yes": "Yes", "no": "No"}
    sections: list[tuple[str, list[Component]]] = [
        ("What it is", [
            text("name", "Name"),
            text("id", "Id", "For programs; it stays when the name changes", readOnly=rule is not None),
            choice("severity", "Severity", {"critical": "✕ Critical", "warning": "▲ Warning", "info": "● Info"}),
            choice("enabled", "Switched on", yes),
            area("description", "What to do about it"),
        ]),
        ("What is measured", [
            choice("what", "Measure", {key: f"{words}, {UNITS[key]}" for key, words in WHATS.items()}),  # type: ignore[index]
            text("window", "Over the last", "Like 5m, 1h, 7d: at most 30d; 1d by domain and label"),
            text("by", "One alert for each", "source, domain, job, fleet (one for all) or label:<key>"),
            choice("kind", "Of", {"all": "Navigations and scrapes", "navigation": "Navigations", "scrape": "Scrapes"}),
            text("field", "Field", "For the coverage of a field only: its name"),
            area("only", "Only those", "One a line: source=shop-*, domain!=example.org", 1),
            text("min_samples", "With at least so many metrics", "With less there is no value"),
        ]),
        ("When it is bad", [
            choice("when", "Bad is", {"": "What is worse", "below": "Below", "above": "Above"}),
            text("threshold", "Threshold", "In the unit of the measure; none with a baseline alone"),
            text("recover", "Fine again at", "By default at the threshold"),
            choice("baseline", "Compare with what is usual", {"no": "No", "yes": "The last days at this hour"}),
            text("baseline.days", "Usual: of how many days"),
            text("baseline.tolerance_percent", "Usual: so many percent away are bad"),
            text("baseline.recover_percent", "Usual: so many percent away are fine again"),
            choice("baseline.same_weekday", "Usual: of the same weekday", yes),
            text("baseline.timezone", "Usual: whose clock"),
        ]),
        ("How patient", [
            text("for", "Bad for how long before it fires", "Like 0s, 3m"),
            text("keep_firing_for", "Fine for how long before it is over"),
            choice("no_data", "Without a value it is", {"ok": "Fine", "no_data": "Shown as no data", "firing": "Bad"}),
            text("interval", "Looked at every"),
        ]),
        ("Who is told", [
            area("message", "Message", f"Names in braces: {', '.join(NAMES)}; none for the usual words"),
            text("channels", "Channels", "Their ids, separated by commas; none for all of them"),
            text("repeat", "Told again every", "While it fires; 0s for never"),
            text("unless", "Quiet while these rules fire", "Ids, separated by commas"),
            area("labels", "Labels", "One a line: team=prices", 1),
        ]),
    ]  # fmt: skip
    groups = [
        html.Section([html.H3(title, className="alerts-heading"), html.Div(fields, className="form-grid")])
        for title, fields in sections
    ]
    buttons: list[Component] = [dmc.Button("Save", id=_button("save"), n_clicks=0)]
    if rule is not None:
        buttons.append(dmc.Button("Duplicate", id=_button("duplicate"), n_clicks=0, variant="default"))
    if can_delete:
        words = "Delete (switch off)" if is_default else "Delete"
        buttons.append(dmc.Button(words, id=_button("delete"), n_clicks=0, variant="outline", color="red"))
    preview = html.Div(id=PREVIEW, className="rule-preview", role="status")
    end = html.Div([faults_line(EDITOR_FAULTS), html.Div(buttons, className="form-buttons")], className="form-end")
    return html.Div([preview, *groups, end])


def values_of(rule: Rule | None) -> dict[str, Any]:
    """Return what the fields of the form hold, texts all of them.

    Args:
        rule: The rule; None for a new one.
    """
    if rule is None:
        rule = Rule.model_validate({"id": "new", "name": "new", "what": "success_rate", "threshold": 80})
        fresh = {"id": "", "name": ""}
    else:
        fresh = {"id": rule.id, "name": rule.name}
    base = rule.baseline
    values: dict[str, Any] = {
        **fresh,
        "description": rule.description,
        "enabled": "yes" if rule.enabled else "no",
        "severity": rule.severity,
        "what": rule.what,
        "kind": rule.kind,
        "field": rule.field,
        "by": rule.by,
        "only": "\n".join(rule.only),
        "when": rule.when or "",
        "threshold": _number(rule.threshold),
        "recover": _number(rule.recover),
        "baseline": "no" if base is None else "yes",
        "min_samples": str(rule.min_samples),
        "no_data": rule.no_data,
        "message": rule.message,
        "unless": ", ".join(rule.unless),
        "channels": ", ".join(rule.channels),
        "labels": "\n".join(f"{key}={value}" for key, value in rule.labels.items()),
    }
    for name in ("window", "for", "keep_firing_for", "repeat", "interval"):
        values[name] = written(getattr(rule, f"{name}_s"))
    values |= {
        "baseline.days": str(base.days if base is not None else 7),
        "baseline.tolerance_percent": _number(base.tolerance_percent if base is not None else 50),
        "baseline.recover_percent": _number(base.recover_percent if base is not None else None),
        "baseline.same_weekday": "yes" if base is not None and base.same_weekday else "no",
        "baseline.timezone": base.timezone if base is not None else "UTC",
    }
    return values


def rule_document(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the form says, as `alerts.rules.rule_of` reads it.

    Args:
        values: By field, as the browser has them.
    """
    texts = {name: str(value).strip() if value is not None else "" for name, value in values.items()}
    document: dict[str, Any] = {}
    for name, text in texts.items():
        if name.startswith("baseline") or name == "labels" or not text:
            continue
        if name in _LISTS:
            document[name] = [part.strip() for part in re.split(r"[\n,]", text) if part.strip()]
        elif name == "enabled":
            document[name] = text == "yes"
        else:
            document[name] = text
    document.setdefault("name", "")
    document.setdefault("id", slug(texts.get("name", "")))
    if texts.get("baseline") == "yes":
        base: dict[str, Any] = {name: texts[f"baseline.{name}"] for name in _BASELINE if texts.get(f"baseline.{name}")}
        document["baseline"] = base | {"same_weekday": base.get("same_weekday") == "yes"}
    lines = [line.strip() for line in texts.get("labels", "").splitlines() if line.strip()]
    if lines:
        document["labels"] = {line.partition("=")[0].strip(): line.partition("=")[2].strip() for line in lines}
    return document


def slug(name: str) -> str:
    """Return an id made of a name.

    Args:
        name: For people.

    >>> slug("Prices: too slow!")
    'prices-too-slow'
    """
    return re.sub(r"[^a-z0-9_]+", "-", name.lower()).strip("-_")[:64]


def import_form() -> Component:
    """Build the form that takes rules as YAML."""
    text = dmc.Textarea(
        id="alerts-yaml",
        label="Rules",
        description="As they are exported. A rule replaces the one with its id; all of them are taken, or none.",
        autosize=True,
        minRows=8,
        maxRows=20,
        placeholder="rules:\n- id: my-rule\n  name: My rule\n  what: success_rate\n  threshold: 80",
    )
    upload = dcc.Upload(
        html.Span("Choose a file, or drop it here", className="small-button"),
        id=UPLOAD,
        accept=".yaml,.yml,.txt,application/yaml,text/plain",
        multiple=False,
        max_size=_MOST_BYTES + (1 << 20),
        className="yaml-upload",
    )
    save = dmc.Button("Import", id="alerts-yaml-import", n_clicks=0)
    return html.Div(
        dmc.Stack(
            [
                text,
                html.Label(upload, className="yaml-file"),
                faults_line(FORM_FAULTS),
                html.Div(save, className="form-buttons"),
            ]
        )
    )


def yaml_of(contents: str) -> str:
    """Return the text of a file as the browser hands it over.

    Args:
        contents: `data:<type>;base64,<bytes>`.

    Raises:
        BadYaml: It isn't a text, or too long.
    """
    try:
        data = base64.b64decode(contents.partition(",")[2], validate=True)
        if len(data) > _MOST_BYTES:
            raise BadYaml((f"takes at most {MOST_CHARS:,} characters, not {len(data):,} bytes",))
        text = data.decode("utf-8-sig")
    except (binascii.Error, UnicodeDecodeError) as exc:
        raise BadYaml(("takes a text in UTF-8; this file is something else",)) from exc
    if len(text) > MOST_CHARS:
        raise BadYaml((f"takes at most {MOST_CHARS:,} characters, not {len(text):,}",))
    return text


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


def _id(field: str) -> dict[str, str]:
    return {"type": FIELD, "field": field}


def _button(act: str) -> dict[str, str]:
    return {"type": BUTTON, "act": act}
