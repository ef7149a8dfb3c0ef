"""The form of a notification channel; what is secret about it goes in and never comes out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import dash_mantine_components as dmc
from dash import html
from dash.development.base_component import Component

from alerts.channels import TEMPLATE_NAMES, Channel
from components.alert_editor import slug
from components.alert_sections import FORM_FAULTS, faults_line

FIELD: Final = "alerts-channel-field"  # type of the ids of its fields
BUTTON: Final = "alerts-channel-button"
SECRET_FIELDS: Final = ("url", "key")
_ORDER: Final = ["label", "input", "error", "description"]


def channel_form(channel: Channel | None, *, address: str = "") -> Component:
    """Build the form.

    Args:
        channel: What it shows; None for a new one.
        address: All that may be shown of its address, "slack://…"; "" without one.
    """
    now = channel or Channel(id="new", name="new")

    def text(name: str, label: str, value: str, help: str = "", **props: Any) -> Component:
        kind = dmc.PasswordInput if name in SECRET_FIELDS else dmc.TextInput
        field: Component = kind(
            id=_id(name), label=label, description=help or None, inputWrapperOrder=_ORDER, value=value, **props
        )
        return field

    def choice(name: str, label: str, value: str, choices: Mapping[str, str]) -> Component:
        field: Component = dmc.Select(
            id=_id(name), label=label, value=value, allowDeselect=False,
            data=[{"value": one, "label": words} for one, words in choices.items()],
        )  # fmt: skip
        return field

    keep = f"Now {address}; leave it empty to keep it" if address else ""
    names = ", ".join(TEMPLATE_NAMES)
    kinds = {"apprise": "E-mail, Slack, … (apprise)", "webhook": "Webhook, signed"}
    fields = [
        text("name", "Name", channel.name if channel else ""),
        text("id", "Id", channel.id if channel else "", "What rules name; it stays", readOnly=channel is not None),
        choice("kind", "Kind", now.kind, kinds),
        choice("enabled", "Switched on", "yes" if now.enabled else "no", {"yes": "Yes", "no": "No"}),
        text("url", "Address", "", keep or "mailto://…, slack://…, or https://… of a webhook", autoComplete="off"),
        text("key", "Signing key", "", "Of a webhook only; empty makes a new one, shown once", autoComplete="off"),
        choice(
            "min_severity",
            "Told from",
            now.min_severity,
            {"info": "● Info", "warning": "▲ Warning", "critical": "✕ Critical"},
        ),
        text("only", "Only alerts with", ", ".join(now.only), "Like source=shop-*, severity=critical"),
        text("per_minute", "Messages a minute", f"{now.per_minute:g}", "More wait and are told together"),
        text("burst", "At once", str(now.burst)),
        text("title", "Title", now.title, "None for the usual words"),
        text("body", "Text", now.body, f"Names in braces: {names}"),
    ]
    buttons = [
        dmc.Button("Save", id=_button("save"), n_clicks=0),
        dmc.Button("Send a test", id=_button("test"), n_clicks=0, variant="default"),
    ]
    if channel is not None:
        buttons.append(dmc.Button("Delete", id=_button("delete"), n_clicks=0, variant="outline", color="red"))
    said = html.Div(id="alerts-channel-said", role="status", className="alerts-said")
    end = [faults_line(FORM_FAULTS), said, html.Div(buttons, className="form-buttons")]
    return html.Div(dmc.Stack([html.Div(fields, className="form-grid"), *end]))


def channel_document(values: Mapping[str, Any]) -> tuple[dict[str, Any], str, str]:
    """Return what the form says: (the channel's document, its address or "", its signing key or "").

    Args:
        values: By field, as the browser has them.
    """
    texts = {name: str(value).strip() if value is not None else "" for name, value in values.items()}
    document: dict[str, Any] = {name: text for name, text in texts.items() if text and name not in SECRET_FIELDS}
    document["enabled"] = texts.get("enabled") != "no"
    document["name"] = texts.get("name", "")
    document.setdefault("id", slug(document["name"]))
    document["only"] = [part.strip() for part in re.split(r"[\n,]", texts.get("only", "")) if part.strip()]
    return document, texts.get("url", ""), texts.get("key", "")


def _id(field: str) -> dict[str, str]:
    return {"type": FIELD, "field": field}


def _button(act: str) -> dict[str, str]:
    return {"type": BUTTON, "act": act}
