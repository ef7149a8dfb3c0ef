"""What people do with alerts: acknowledge, snooze, silence; over the app's own database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from alerts.alert import Alert
from alerts.board import Standings, standings, token_of
from alerts.errors import BadSetting, Fault
from alerts.silences import silence_of
from alerts.states import AlertState
from components.alert_silence_form import silence_document
from db.alert_rows import Changes
from db.alert_tables import AlertTables
from db.engine import make_engine
from db.migrate import upgrade
from db.queries import Queries
from db.recent import RecentDetail
from web.alert_actions import at_fields, do, end_silence, tidy_name

NOW_MS = 1_795_300_325_000
TOKEN = token_of("low-success", "shop[1]")


class Tab:
    """Alerts of a database, as a page reads them and buttons change them."""

    def __init__(self, path: Path) -> None:
        self.engine = make_engine(url=f"sqlite:///{path / 'tab.db'}")
        upgrade(self.engine)
        self.tables = AlertTables(self.engine, clock_ms=lambda: NOW_MS)
        self.queries = Queries(self.engine, RecentDetail(max_rows=10))
        self.queries.read_alerts_from(self.tables)
        fired = AlertState("firing", NOW_MS - 60_000, NOW_MS - 60_000, value=20.0, threshold=80.0)
        lease = self.tables.lease(1, length_s=15)
        lease.take()
        rows = tuple(Alert("low-success", key, fired).row() for key in ("shop[1]", "shop1"))
        self.tables.store.write(lease, Changes(states=rows), evaluated_at_ms=NOW_MS)

    def act(self, what: str, at_ms: int = NOW_MS) -> str:
        return do(self.queries, self.tables, what, TOKEN, "Ada", at_ms)

    def found(self, at_ms: int = NOW_MS) -> Standings:
        self.queries.alerts_changed()
        return standings(self.queries.alert_board(), at_ms)


@pytest.fixture
def tab(tmp_path: Path) -> Iterator[Tab]:
    made = Tab(tmp_path)
    yield made
    made.engine.dispose()


def test_an_alert_is_acknowledged_by_somebody_and_that_is_taken_back(tab: Tab) -> None:
    assert tab.act("acknowledge").startswith("✓ Acknowledged: Low success rate, source shop[1].")
    one = tab.found().find(TOKEN)
    assert one is not None
    assert one.known is not None
    assert (one.known.by, one.known.fired_ms) == ("Ada", NOW_MS - 60_000)
    tab.act("unacknowledge")
    one = tab.found().find(TOKEN)
    assert one is not None
    assert one.known is None


def test_a_snooze_means_this_alert_alone_and_ends(tab: Tab) -> None:
    tab.act("snooze-1h")
    quiet = {one.alert.key for one in tab.found().firing if one.silence is not None}
    assert quiet == {"shop[1]"}
    assert not [one for one in tab.found(NOW_MS + 3_600_000).firing if one.silence is not None]
    tab.act("snooze-4h")
    tab.act("unsnooze")
    assert tab.found().setting.silences == ()


def test_until_tomorrow_is_eight_in_the_morning(tab: Tab) -> None:
    assert "23 Nov" in tab.act("snooze-tomorrow", NOW_MS + 12 * 3_600_000) or tab.found().setting.silences
    (silence,) = tab.found().setting.silences
    assert (silence.ends_ms or 0) % 86_400_000 == 8 * 3_600_000


def test_what_is_over_or_gone_is_said_to_be(tab: Tab) -> None:
    assert do(tab.queries, tab.tables, "acknowledge", "nonsense", "Ada", NOW_MS) == "That alert is over."
    assert end_silence(tab.tables, "nonsense") == "It was over already."


def test_the_form_of_a_silence_says_what_each_field_takes() -> None:
    given = {"only": "source=shop-*\nseverity=info", "starts_ms": "now", "ends_ms": "now+4h", "comment": "x"}
    document, ends_ms = silence_document(given, NOW_MS)
    assert ends_ms == NOW_MS + 4 * 3_600_000
    assert silence_of({**document, "id": "s"}).document()["only"] == ["source=shop-*", "severity=info"]
    with pytest.raises(BadSetting) as caught:
        silence_document({**given, "starts_ms": "banana", "ends_ms": "now-1h"}, NOW_MS)
    assert [fault.field for fault in caught.value.faults] == ["starts_ms", "ends_ms"]
    window = {"only": "source=shop", "cron": "99 2 * * *", "duration": "2h", "timezone": "UTC"}
    document, _ = silence_document(window, NOW_MS)
    with pytest.raises(BadSetting) as caught:
        silence_of({**document, "id": "s"})
    assert [fault.field for fault in caught.value.faults] == ["cron"]


def test_faults_stand_at_their_fields_and_the_rest_below() -> None:
    exc = BadSetting("x", (Fault("only.0", "a"), Fault("only.1", "b"), Fault("nowhere", "c")))
    assert at_fields(["only", "cron"], exc) == (["a; b", None], "nowhere: c")


def test_a_name_is_one_line() -> None:
    assert tidy_name(" Ada\n\x00Lovelace ") == "Ada Lovelace"
