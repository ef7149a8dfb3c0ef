"""The cards of the Alerts tab, and the forms that open above it; what they show comes with the page's content."""

from __future__ import annotations

from typing import Any, Final

import dash_mantine_components as dmc
from dash import dcc, html
from dash.development.base_component import Component

from components.alert_lists import entry_button
from components.aria import aria
from components.content import Content
from components.tables import table_card
from components.view import View

NAME: Final = "alerts-name"
SAID: Final = "alerts-said"
EDITOR: Final = "alerts-editor"
EDITOR_BODY: Final = "alerts-editor-body"
EDITOR_FAULTS: Final = "alerts-editor-faults"
FORM: Final = "alerts-form"
FORM_BODY: Final = "alerts-form-body"
FORM_FAULTS: Final = "alerts-form-faults"


def firing_card(view: View, content: Content) -> Component:
    """Build the card of alerts that fire or are about to.

    Args:
        view: Decides what the menu exports.
        content: The page's content.
    """
    name = dmc.TextInput(
        id=NAME,
        placeholder="Your name",
        debounce=True,
        persistence=True,
        persistence_type="local",
        size="xs",
        w=150,
        inputProps={"maxLength": 60, "autoComplete": "name"},
        **aria(label="Your name, kept in this browser and said beside what you do here"),
    )
    head = html.Div([html.P(id="alerts-summary", **content["alerts-summary"]), name], className="alerts-head")
    lists = html.Div(
        [
            html.Div(id="alerts-firing", className="alerts-list", **content["alerts-firing"]),
            html.H3("Pending, and without data", className="alerts-heading"),
            html.Div(id="alerts-pending", className="alerts-list", **content["alerts-pending"]),
        ],
        id="alerts-sparks",
        **content["alerts-sparks"],
    )
    said = html.Div(id=SAID, role="status", className="alerts-said")
    return table_card("Now", [head, said, lists], wide=True, export="alerts-firing", view=view)


def rules_card(view: View, content: Content) -> Component:
    """Build the card of rules, with what makes and carries rules.

    Args:
        view: Decides what the menu exports.
        content: The page's content.
    """
    tools = html.Div(
        [
            entry_button("rule-new", "new", "New rule", "alerts"),
            entry_button("rules-import", "all", "Import YAML", "rules"),
            html.A("Export YAML", href="/api/alerts/rules.yaml", download="rules.yaml", className="small-button"),
        ],
        className="card-buttons",
    )
    problems = html.Div(id="alerts-problems", className="alerts-problems", **content["alerts-problems"])
    listed = html.Div(id="alerts-rules", className="entries", **content["alerts-rules"])
    subtitle = "Whoever can open this board can change them"
    return table_card(
        "Rules", [tools, problems, listed], subtitle=subtitle, wide=True, export="alerts-rules", view=view
    )


def silences_card(content: Content) -> Component:
    """Build the card of silences and maintenance windows.

    Args:
        content: The page's content.
    """
    tools = html.Div(
        [
            entry_button("silence-new", "once", "New silence", "once, with an end"),
            entry_button("silence-new", "window", "New maintenance window", "recurring"),
        ],
        className="card-buttons",
    )
    listed = html.Div(id="alerts-silences", className="entries", **content["alerts-silences"])
    return table_card("Silences", [tools, listed], subtitle="Alerts are evaluated and shown all the same")


def channels_card(content: Content) -> Component:
    """Build the card of notification channels and of what never arrived.

    Args:
        content: The page's content.
    """
    tools = html.Div([entry_button("channel-new", "new", "New channel", "notifications")], className="card-buttons")
    listed = html.Div(id="alerts-channels", className="entries", **content["alerts-channels"])
    dead = html.Div(id="alerts-dead", className="entries", **content["alerts-dead"])
    return table_card(
        "Notification channels",
        [tools, listed, html.H3("Given up", className="alerts-heading"), dead],
        subtitle="Where alerts are told; addresses are never shown again",
    )


def schedules_card(view: View, content: Content) -> Component:
    """Build the card of schedules of jobs.

    Args:
        view: Decides what the menu exports.
        content: The page's content.
    """
    tools = html.Div([entry_button("schedule-new", "new", "New schedule", "of a job")], className="card-buttons")
    found = html.Div(id="alerts-schedules", className="entries", **content["alerts-schedules"])
    subtitle = "As they were declared; of other jobs it is learnt when they usually run"
    return table_card(
        "Schedules of jobs", [tools, found], subtitle=subtitle, wide=True, export="alerts-schedules", view=view
    )


def alert_forms() -> Component:
    """Build the drawer of the rule editor and the dialog of the other forms; both are empty until they are opened."""
    editor = dmc.Drawer(
        html.Div(id=EDITOR_BODY),
        id=EDITOR,
        opened=False,
        position="right",
        size="xl",
        title="Rule",
        closeButtonProps={"aria-label": "Close"},
        className="alerts-drawer",
    )
    form = dmc.Modal(
        html.Div(id=FORM_BODY),
        id=FORM,
        opened=False,
        size="lg",
        title="",
        closeButtonProps={"aria-label": "Close"},
    )
    return html.Div([editor, form, dcc.Store(id="alerts-editing")])


def faults_line(id: str) -> Component:
    """Build the place where a form says what is wrong that belongs to no field of it.

    Args:
        id: Its id.
    """
    line: Any = html.Div(id=id, role="alert", className="form-faults")
    built: Component = line
    return built
