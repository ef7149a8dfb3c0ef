"""The one typed, frozen Settings object, and the only reader of the environment."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError, ValidationInfo
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

PREFIX = "SCRAPEBOARD_"
# What `python -m collector` reads, and sets for what it runs: where scrapers and the app share an environment, as when
# cron has it run `python app.py maintain`, these are no mistakes.
OF_COLLECTORS = frozenset({"url", "run_id"})


class SettingsError(Exception):
    """A setting is unknown or has a value that can't be used; the text is one line for the operator."""


def _database_url(value: str) -> str:
    scheme = value.split(":", 1)[0].split("+", 1)[0]
    if scheme not in ("sqlite", "mysql", "mariadb") or "://" not in value:
        raise ValueError("accepts sqlite:///FILE or mysql://USER:PASSWORD@HOST/DATABASE (mariadb:// too)")
    return value


def _read_url(value: str | None, info: ValidationInfo) -> str | None:
    if not value:
        return None
    if "://" not in value or not value.startswith(("mysql", "mariadb")):
        raise ValueError("accepts mysql://USER:PASSWORD@HOST/DATABASE (mariadb:// too)")
    if str(info.data.get("database_url", "")).startswith("sqlite"):
        raise ValueError("SQLite has no replicas, and SCRAPEBOARD_DATABASE_URL is SQLite")
    return value


def _redis_url(value: str | None) -> str | None:
    if value and urlsplit(value).scheme not in ("redis", "rediss", "unix"):
        raise ValueError("accepts redis://HOST:PORT/0, rediss:// or unix:// (or nothing)")
    return value or None


def _origin_list(value: Any) -> tuple[str, ...]:
    parts = value.split(",") if isinstance(value, str) else tuple(value)
    return tuple(_origin(part.strip().rstrip("/")) for part in parts if part.strip())


def _origin(text: str) -> str:
    """Return an origin as browsers write it: in small letters, without the port that its scheme has anyway."""
    try:
        parts = urlsplit(text.lower())
        usual = {"http": 80, "https": 443}.get(parts.scheme)
        if usual and parts.hostname and parts.geturl() == f"{parts.scheme}://{parts.netloc}" and not parts.username:
            return parts.geturl().removesuffix(f":{usual}") if parts.port == usual else parts.geturl()
    except ValueError:  # a port that is none
        pass
    raise ValueError("accepts origins like https://board.example.org, separated by commas")


def _public_url(value: str | None) -> str | None:
    if not value:
        return None
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise ValueError("accepts an address like https://board.example.org, without anything behind its path")
    return value.rstrip("/")


def _host_list(value: Any) -> tuple[str, ...]:
    parts = value.split(",") if isinstance(value, str) else tuple(value)
    hosts = tuple(part.strip() for part in parts if part.strip())
    if any("/" in host or ":" in host or (host != "*" and "*" in host) for host in hosts):
        raise ValueError("accepts names like board.example.org without a port, separated by commas, or *")
    return hosts


class Settings(BaseSettings):
    """Everything an operator can set, each from `SCRAPEBOARD_<NAME>` in the environment or in `.env`."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid")

    database_url: Annotated[str, AfterValidator(_database_url)] = Field(
        "sqlite:///data/scrapeboard.db", description="where metrics are kept: sqlite:///FILE or mysql://…"
    )
    database_read_url: Annotated[str | None, AfterValidator(_read_url)] = Field(
        None, description="a replica that pages read from, mysql://…, when database_url is its primary"
    )
    host: str = Field("127.0.0.1", min_length=1, description="address to listen on")
    port: int = Field(8050, ge=1, le=65535, description="port to listen on, 1-65535")
    token: SecretStr | None = Field(None, description="when set, POST /api/ingest needs Authorization: Bearer <token>")
    allowed_origins: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_origin_list)] = Field(
        (), description="further browser origins that may open the live channels, comma separated"
    )
    allowed_hosts: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_host_list)] = Field(
        (), description="names that people and scrapers reach the app by, comma separated; * for any"
    )
    redis_url: Annotated[str | None, AfterValidator(_redis_url)] = Field(
        None, description="Redis that several app processes on one database share, redis://HOST:PORT/0"
    )
    retention_days: int = Field(7, ge=1, le=3650, description="days that single metrics are kept, 1-3650")
    minute_retention_days: int = Field(
        30, ge=1, le=3650, description="days that minute rollups are kept, at least as long as single metrics, 1-3650"
    )
    hour_retention_days: int = Field(
        400, ge=1, le=36500, description="days that hour rollups are kept, at least as long as minutes, 1-36500"
    )
    recent_rows: int = Field(
        250_000, ge=1_000, le=20_000_000, description="newest metrics kept in memory for fast pages, 1000-20000000"
    )
    public_url: Annotated[str | None, AfterValidator(_public_url)] = Field(
        None, description="where people open this board, https://board.example.org, for links in notifications"
    )
    charts: Literal["plotly", "altair"] = Field("plotly", description="chart library: plotly or altair")
    threads: int = Field(16, ge=2, le=512, description="threads that answer HTTP requests, 2-512")
    ingest_max_bytes: int = Field(8 * 1024 * 1024, ge=1024, description="largest body of POST /api/ingest, bytes")
    ingest_waiting: int = Field(
        256,
        ge=1,
        le=2_000,
        description="batches that may wait for a thread before the next is answered with 429, 1-2000",
    )
    outboxes_max_bytes: int = Field(
        256 * 1024 * 1024,
        ge=1024 * 1024,
        description="what may wait in memory for slow viewers of all live channels together, bytes, at least 1048576",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="debug, info, warning or error")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take values only from the caller: `load` reads the environment itself so that it can name unknown ones."""
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)


def load(environ: Mapping[str, str] | None = None, *, env_file: Path | None = Path(".env")) -> Settings:
    """Read and check the settings once, at the start of the program.

    Args:
        environ: variables to read; the process's own by default. They win over `env_file`.
        env_file: a file of NAME=value lines, or None; a missing file is fine.

    Returns:
        The frozen settings.

    Raises:
        SettingsError: a variable with our prefix is unknown or its value is not accepted, one line that names it; or
            the file can't be read.
    """
    found: dict[str, str] = {}
    if env_file is not None and env_file.is_file():
        try:
            found.update({name: value or "" for name, value in dotenv_values(env_file).items()})
        except (OSError, UnicodeDecodeError) as exc:
            raise SettingsError(f"{env_file} can't be read: {getattr(exc, 'strerror', None) or exc}") from exc
    found.update(os.environ if environ is None else environ)
    values: dict[str, Any] = {}
    for name, value in found.items():
        if not name.upper().startswith(PREFIX):
            continue
        field = name[len(PREFIX) :].lower()
        if field in OF_COLLECTORS:
            continue
        if field not in Settings.model_fields:
            near = difflib.get_close_matches(field, Settings.model_fields, n=1)
            hint = f"did you mean {PREFIX}{near[0].upper()}?" if near else "see the settings table in README.md"
            raise SettingsError(f"{name} is not a setting of Scrapeboard; {hint}")
        if value.strip():
            values[field] = value.strip()
    try:
        return Settings(**values)
    except ValidationError as exc:
        problem = exc.errors(include_url=False, include_context=False)[0]
        field = str(problem["loc"][0])
        accepts = Settings.model_fields[field].description
        shown = (
            "the value given"
            if field in ("token", "database_url", "database_read_url", "redis_url")
            else repr(values.get(field))
        )
        said = problem["msg"].removeprefix("Value error, ")
        raise SettingsError(f"{PREFIX}{field.upper()}: {shown} is not accepted ({said}); it takes: {accepts}") from exc
