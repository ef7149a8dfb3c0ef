"""The form of a silence, once or recurring, and what it says as a document."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import dash_mantine_components as dmc
from dash import html
from dash.development.base_component import Component

from alerts.errors import BadSetting, Fault
from components.alert_sections import FORM_FAULTS, faults_line
from components.timerange import MomentError, parse_moment

FIELD: Final = "alerts-silence-field"  # type of the ids of its fields
SAVE: Final = "alerts-silence-save"

_ONLY_HELP: Final = (
    "One a line: source=shop-*, rule=low-success, severity=info, domain!=example.org. All of them must fit; of several "
    "for one name, any."
)


def silence_form(*, recurring: bool) -> Component:
    """Build the form.

    Args:
        recurring: Whether it silences again and again (a maintenance window).
    """
    fields: list[Component] = [
        dmc.Textarea(
            id=_id("only"),
            label="Which alerts",
            description=_ONLY_HELP,
            autosize=True,
            minRows=2,
            placeholder="source=shop-*",
        )
    ]
    if recurring:
        fields += [
            dmc.TextInput(
                id=_id("cron"), label="Begins", description="As cron writes it: minute hour day month weekday",
                value="0 2 * * sun",
            ),
            dmc.TextInput(id=_id("duration"), label="Lasts", description="Like 30m, 2h, 1d", value="2h"),
            dmc.TextInput(id=_id("timezone"), label="Time zone", description="Like Europe/Berlin", value="UTC"),
        ]  # fmt: skip
    else:
        fields += [
            dmc.TextInput(id=_id("starts_ms"), label="From", description="now, or a UTC moment", value="now"),
            dmc.TextInput(
                id=_id("ends_ms"), label="Until", description="now+4h, now+7d, or a UTC moment like 2030-05-01T08:00",
                value="now+4h",
            ),
        ]  # fmt: skip
    fields.append(dmc.TextInput(id=_id("comment"), label="Why", placeholder="The site is being rebuilt"))
    save = dmc.Button("Silence", id={"type": SAVE, "id": "silence"}, n_clicks=0)
    return html.Div([dmc.Stack([*fields, faults_line(FORM_FAULTS), html.Div(save, className="form-buttons")])])


def silence_document(values: Mapping[str, Any], now_ms: int) -> tuple[dict[str, Any], int | None]:
    """Return what the form says: (a silence's document without id, when it ends in epoch ms or None).

    Args:
        values: By field, as the browser has them.
        now_ms: What `now` is, epoch milliseconds.

    Raises:
        BadSetting: A moment can't be read.
    """
    lines = [line.strip() for line in re.split(r"[\n,]", str(values.get("only") or ""))]
    document: dict[str, Any] = {"only": [line for line in lines if line], "comment": str(values.get("comment") or "")}
    if "cron" in values:
        for name in ("cron", "duration", "timezone"):
            document[name] = str(values.get(name) or "").strip()
        if not document["cron"]:
            raise BadSetting("silence", (Fault("cron", "takes when it begins, like 0 2 * * sun"),))
        document["timezone"] = document["timezone"] or "UTC"
        document["duration"] = document["duration"] or 0
        return document, None
    faults = []
    for name in ("starts_ms", "ends_ms"):
        try:
            document[name] = parse_moment(str(values.get(name) or "").strip(), now_ms)
        except MomentError as exc:
            faults.append(Fault(name, exc.message))
    if document.get("ends_ms", now_ms + 1) <= now_ms:
        faults.append(Fault("ends_ms", "takes a moment that is still to come"))
    if faults:
        raise BadSetting("silence", tuple(faults))
    return document, document["ends_ms"]


def _id(field: str) -> dict[str, str]:
    return {"type": FIELD, "field": field}
