"""Settings: typed, frozen, and one clear line when a value can't be used."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from settings import SettingsError, load


def test_without_anything_set_the_defaults_are_those_of_the_readme() -> None:
    settings = load({}, env_file=None)
    assert settings.database_url == "sqlite:///data/scrapeboard.db"
    assert (settings.host, settings.port, settings.retention_days, settings.charts) == ("127.0.0.1", 8050, 7, "plotly")
    assert settings.token is None


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        load({}, env_file=None).port = 1


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("SCRAPEBOARD_PORT=9000\nSCRAPEBOARD_HOST=0.0.0.0\nOTHER=1\n")
    settings = load({"SCRAPEBOARD_PORT": "9001"}, env_file=file)
    assert (settings.host, settings.port) == ("0.0.0.0", 9001)


def test_file_that_can_not_be_read_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_bytes(b"SCRAPEBOARD_HOST=caf\xe9\n")
    with pytest.raises(SettingsError, match=r"^[^\n]*\.env can't be read: [^\n]*$"):
        load({}, env_file=file)


def test_origins_are_a_comma_separated_list() -> None:
    settings = load({"SCRAPEBOARD_ALLOWED_ORIGINS": "https://a.example/, http://b:1"}, env_file=None)
    assert settings.allowed_origins == ("https://a.example", "http://b:1")


def test_origins_are_kept_as_browsers_write_them() -> None:
    said = "HTTPS://Board.Example.org:443, http://b:80/, https://[::1]:8443"
    settings = load({"SCRAPEBOARD_ALLOWED_ORIGINS": said}, env_file=None)
    assert settings.allowed_origins == ("https://board.example.org", "http://b", "https://[::1]:8443")


def test_an_empty_value_means_the_default() -> None:
    assert load({"SCRAPEBOARD_PORT": " "}, env_file=None).port == 8050


@pytest.mark.parametrize(
    ("name", "value", "accepts"),
    [
        ("PORT", "abc", "1-65535"),
        ("PORT", "70000", "1-65535"),
        ("RETENTION_DAYS", "0", "1-3650"),
        ("DATABASE_URL", "postgres://u:s3cret@h/d", "sqlite:///"),
        ("DATABASE_URL", "nonsense", "sqlite:///"),
        ("DATABASE_READ_URL", "postgres://u:s3cret@h/d", "mysql://"),
        ("DATABASE_READ_URL", "mysql://u:s3cret@h/d", "primary"),  # of an SQLite file
        ("REDIS_URL", "http://x", "redis://"),
        ("CHARTS", "gnuplot", "plotly or altair"),
        ("ALLOWED_ORIGINS", "example.org", "https://"),
        ("ALLOWED_ORIGINS", "https://example.org/board", "https://"),  # no browser ever says so
        ("ALLOWED_ORIGINS", "https://example.org:port", "https://"),
        ("LOG_LEVEL", "loud", "debug, info"),
    ],
)
def test_a_bad_value_is_one_line_that_names_the_variable_and_what_it_takes(name: str, value: str, accepts: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load({f"SCRAPEBOARD_{name}": value}, env_file=None)
    line = str(caught.value)
    assert f"SCRAPEBOARD_{name}" in line
    assert accepts in line
    assert "\n" not in line
    assert "s3cret" not in line


def test_an_unknown_setting_is_refused_with_the_nearest_known_one() -> None:
    with pytest.raises(SettingsError, match="did you mean SCRAPEBOARD_PORT"):
        load({"SCRAPEBOARD_PRT": "1"}, env_file=None)


def test_what_the_collector_reads_and_sets_for_its_commands_is_no_mistake() -> None:
    shared = {"SCRAPEBOARD_URL": "http://127.0.0.1:8050", "SCRAPEBOARD_RUN_ID": "1", "SCRAPEBOARD_PORT": "9000"}
    assert load(shared, env_file=None).port == 9000
