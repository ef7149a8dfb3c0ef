"""Apply Dash's Patch operations as the browser does, so that tests can hold live updates against fresh loads."""

from typing import Any

import orjson

from live.diff import PATCH_KEY


def apply_patch(old: Any, patch: Any) -> Any:
    """Apply a patch as the browser does."""
    if not (isinstance(patch, dict) and PATCH_KEY in patch):
        return patch
    result = orjson.loads(orjson.dumps(old))
    for operation in patch["operations"]:
        result = _apply(result, operation["location"], operation["operation"], operation["params"])
    return result


def _apply(value: Any, location: list[str | int], kind: str, params: dict[str, Any]) -> Any:
    if not location:
        if kind == "Assign":
            return params["value"]
        if kind == "Prepend":
            return [params["value"], *value]
        if kind == "Extend":
            return [*value, *params["value"]]
        raise ValueError(f"{kind} is not an operation that this module writes")
    head, rest = location[0], location[1:]
    if kind == "Delete" and not rest:
        del value[head]
        return value
    child = value.get(head) if isinstance(value, dict) else value[int(head)]
    value[head] = _apply(child, rest, kind, params)
    return value
