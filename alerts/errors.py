"""What can be wrong with what people write about alerts: every error names the field and what it takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

_Model = TypeVar("_Model", bound=BaseModel)


class AlertError(Exception):
    """Base of everything that `alerts` raises; its text is one line that says what to do."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong.

    Args:
        field: The field, as it is written in YAML.
        message: What it takes.
    """

    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


class BadSetting(AlertError, ValueError):  # noqa: N818 - it names the setting, not a fault of the program
    """A rule, silence or schedule that can't be used.

    Args:
        what: Which one, for people.
        faults: Everything that is wrong with it.
    """

    def __init__(self, what: str, faults: tuple[Fault, ...]) -> None:
        self.what = what
        self.faults = faults
        super().__init__(f"{what}: " + "; ".join(map(str, faults)))


def parsed(model: type[_Model], document: Mapping[str, Any], *, what: str) -> _Model:
    """Make a setting from a document.

    Args:
        model: Its type.
        document: As read from JSON, YAML or a form.
        what: Which one, for the error.

    Raises:
        BadSetting: It can't be used.
    """
    try:
        return model.model_validate(dict(document))
    except ValidationError as exc:
        raise BadSetting(what, tuple(_fault(model, error) for error in exc.errors(include_url=False))) from exc


def _fault(model: type[BaseModel], error: Any) -> Fault:
    place = [str(part) for part in error["loc"]]
    if error["type"] == "extra_forbidden":
        taken = ", ".join(sorted(field.alias or name for name, field in model.model_fields.items()))
        return Fault(".".join(place), f"is no field here; the fields are {taken}")
    message = str(error["msg"]).removeprefix("Value error, ")
    # A model's own validator says the field itself: "threshold: …".
    if not place and ": " in message:
        field, message = message.split(": ", 1)
        return Fault(field, message)
    given = repr(error["input"])
    said = "" if error["type"] in ("missing", "value_error") else f" (got {given[:60]})"
    return Fault(".".join(place) or "all of it", f"{message[:1].lower()}{message[1:]}{said}")
