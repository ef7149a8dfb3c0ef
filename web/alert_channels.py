"""The callbacks of notification channels: edit, test, delete, and dead letters that are sent again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from dash import ALL, Dash, Input, Output, State, ctx, no_update

from alerts.channels import (
    Channel,
    ChannelSecret,
    channel_of,
    checked_secret,
    lenient_channel,
    new_key,
    secret_of,
    shown,
)
from alerts.delivery.sending import try_channel
from alerts.errors import BadSetting, Fault
from alerts.texts import Texts
from components.alert_channel_form import BUTTON, FIELD, channel_document, channel_form
from components.alert_lists import ENTRY
from components.alert_sections import FORM, FORM_BODY, FORM_FAULTS, NAME, SAID
from db.alert_tables import AlertTables
from db.errors import DatabaseUnavailable
from web.alert_actions import answered, at_fields, clicked, tidy_name

EDITING: Final = "alerts-editing"
_DEADLINE_S: Final = 10.0


class ChannelDesk:
    """Where channels are changed and tried.

    Args:
        tables: Where they are kept.
        texts: What a test says.
    """

    def __init__(self, tables: AlertTables, texts: Texts) -> None:
        self._tables = tables
        self._texts = texts

    def channel(self, id: str) -> tuple[Channel, ChannelSecret] | None:
        """Return a channel and what is secret about it; None when there is none."""
        row = next((row for row in self._tables.settings.all("channels") if row.id == id), None)
        if row is None:
            return None
        return lenient_channel(id, row.document)[0], secret_of(self._tables.settings.secret(id))

    def read(self, values: dict[str, Any], *, new: bool) -> tuple[Channel, ChannelSecret, str]:
        """Read the form.

        Args:
            values: By field, as the browser has them.
            new: Whether it is a channel that isn't there yet.

        Returns:
            (the channel, what is secret about it, a signing key that was made for it or "").

        Raises:
            BadSetting: It can't be used.
        """
        document, url, key = channel_document(values)
        channel = channel_of(document)
        there = self.channel(channel.id)
        if new and there is not None:
            raise BadSetting(channel.name, (Fault("id", "is taken by another channel: choose another one"),))
        kept = there[1] if there is not None else ChannelSecret()
        if not url and not key and kept.url and there is not None and there[0].kind == channel.kind:
            return channel, kept, ""
        made = new_key() if channel.kind == "webhook" and not key and not kept.key else ""
        return channel, checked_secret(channel.kind, url or kept.url, key or kept.key or made), made

    def save(self, values: dict[str, Any], *, by: str, new: bool) -> tuple[Channel, str]:
        """Write the channel that the form says.

        Returns:
            (the channel, a signing key that was made for it or "": it is shown this once).

        Raises:
            BadSetting: It can't be used.
            DatabaseUnavailable: It couldn't be written.
        """
        channel, secret, made = self.read(values, new=new)
        self._tables.settings.put("channels", channel.id, channel.document(), by=by, secret=secret.text())
        return channel, made

    def tried(self, channel: Channel, secret: ChannelSecret) -> str:
        """Send a test; returns how it went, in words."""
        if not secret.url:
            return f"✕ {channel.name} has no address: edit it first."
        attempt = try_channel(channel, secret, texts=self._texts, deadline_s=_DEADLINE_S)
        if attempt.delivered:
            return f"✓ The test arrived at {shown(secret)} in {attempt.took_ms:.0f} ms."
        return f"✕ The test didn’t arrive at {shown(secret)}: {attempt.error}"

    def test(self, id: str) -> str:
        """Send a test to a channel; returns how it went, in words."""
        found = self.channel(id)
        return "There is no such channel any more." if found is None else self.tried(*found)

    def delete(self, id: str) -> str:
        """Delete a channel; returns what was done, in words."""
        return f"Deleted: {id}." if self._tables.settings.delete("channels", id) else "It was deleted already."

    def retry(self, number: str) -> str:
        """Send a dead letter again; returns what was done, in words."""
        if not number.isdecimal():
            return "There is no such notification."
        self._tables.outbox.retry(int(number[:18]))
        return "It is being sent again."


def register_alert_channels(app: Dash, tables: AlertTables, texts: Texts, *, changed: Callable[[], object]) -> None:
    """Register the callbacks of channels.

    Args:
        app: The app.
        tables: Where channels are kept.
        texts: What a test says.
        changed: Called after each write.
    """
    desk = ChannelDesk(tables, texts)

    @app.callback(
        Output(FORM, "opened", allow_duplicate=True),
        Output(FORM, "title", allow_duplicate=True),
        Output(FORM_BODY, "children", allow_duplicate=True),
        Output(EDITING, "data", allow_duplicate=True),
        Input({"type": ENTRY, "act": "channel-edit", "id": ALL}, "n_clicks"),
        Input({"type": ENTRY, "act": "channel-new", "id": ALL}, "n_clicks"),
        prevent_initial_call=True,
    )
    def open_form(edits: list[int | None], news: list[int | None]) -> Any:
        touched = ctx.triggered_id
        if not clicked([*edits, *news]) or not isinstance(touched, dict):
            return (no_update,) * 4
        if touched["act"] == "channel-new":
            return True, "New channel", channel_form(None), None
        try:
            found = desk.channel(str(touched["id"]))
        except DatabaseUnavailable as exc:
            return True, "Channel", f"✕ It can’t be read: {exc}.", None
        if found is None:
            return True, "Channel", "There is no such channel any more.", None
        channel, secret = found
        return True, channel.name, channel_form(channel, address=shown(secret)), {"channel": channel.id}

    @app.callback(
        Output({"type": FIELD, "field": ALL}, "error"),
        Output(FORM_FAULTS, "children", allow_duplicate=True),
        Output("alerts-channel-said", "children"),
        Output(FORM, "opened", allow_duplicate=True),
        Output(SAID, "children", allow_duplicate=True),
        Input({"type": BUTTON, "act": ALL}, "n_clicks"),
        State({"type": FIELD, "field": ALL}, "value"),
        State({"type": FIELD, "field": ALL}, "id"),
        State(EDITING, "data"),
        State(NAME, "value"),
        prevent_initial_call=True,
    )
    def press(clicks: list[int | None], values: list[Any], places: list[Any], editing: Any, name: str | None) -> Any:
        """Save, test or delete the channel in the form."""
        fields = [str(place["field"]) for place in places]
        touched = ctx.triggered_id
        if not clicked(clicks) or not isinstance(touched, dict):
            return [no_update] * len(fields), *(no_update,) * 4
        fine, given = [None] * len(fields), dict(zip(fields, values, strict=True))
        opened = str(editing["channel"]) if isinstance(editing, dict) and "channel" in editing else None
        try:
            if touched["act"] == "delete" and opened is not None:
                return fine, "", "", False, answered(lambda: desk.delete(opened), changed)
            if touched["act"] == "test":
                channel, secret, made = desk.read(given, new=False)
                signed = " It was signed with a key made for this test." if made else ""
                return fine, "", desk.tried(channel, secret) + signed, no_update, no_update
            channel, made = desk.save(given, by=tidy_name(name), new=opened is None)
        except BadSetting as exc:
            return (*at_fields(fields, exc), no_update, no_update, no_update)
        except DatabaseUnavailable as exc:
            return fine, f"✕ It wasn’t done: {exc}.", no_update, no_update, no_update
        changed()
        if made:
            return fine, "", "", False, f"✓ Saved: {channel.name}. Its signing key, shown this once: {made}"
        return fine, "", "", False, f"✓ Saved: {channel.name}."

    @app.callback(
        Output(SAID, "children", allow_duplicate=True),
        Input({"type": ENTRY, "act": "channel-test", "id": ALL}, "n_clicks"),
        Input({"type": ENTRY, "act": "letter-retry", "id": ALL}, "n_clicks"),
        prevent_initial_call=True,
    )
    def act(tests: list[int | None], retries: list[int | None]) -> Any:
        touched = ctx.triggered_id
        if not clicked([*tests, *retries]) or not isinstance(touched, dict):
            return no_update
        id = str(touched["id"])
        return answered(
            (lambda: desk.test(id)) if touched["act"] == "channel-test" else (lambda: desk.retry(id)), changed
        )
