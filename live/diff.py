"""The difference between what a view shows and what it should show, as operations of Dash's `Patch`.

Contents are compared as plain JSON. Operations address the browser's current props, so a difference is only right
for a viewer that shows exactly the old content; `live.views` takes care of that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson

from live.frames import to_json

Json = Any
# One component's props as JSON, and the whole page's: component id -> props.
Props = dict[str, Json]
Content = dict[str, Props]

PATCH_KEY = "__dash_patch_update"
MAX_SHIFT = 100


def normalise(content: Mapping[str, Mapping[str, Any]]) -> Content:
    """Turn a page's content (components, numpy arrays) into plain JSON, as the browser will hold it."""
    plain: Content = orjson.loads(to_json(content))
    return plain


def digest(props: Props) -> str:
    """Return a short fingerprint of one component's props."""
    return hashlib.blake2b(orjson.dumps(props, option=orjson.OPT_SORT_KEYS), digest_size=8).hexdigest()


def digests(content: Content) -> dict[str, str]:
    """Return the fingerprint of every component of a page."""
    return {component_id: digest(props) for component_id, props in content.items()}


def ids_inside(tree: Json) -> set[str]:
    """Return the ids of all components in plain JSON, wherever they hide."""
    found: set[str] = set()
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting += [item for item in node if isinstance(item, (list, dict))]
        elif isinstance(node, dict):
            if "namespace" in node and isinstance(node.get("props"), dict) and isinstance(node["props"].get("id"), str):
                found.add(node["props"]["id"])
            waiting += [item for item in node.values() if isinstance(item, (list, dict))]
    return found


def patch_props(old: Props, new: Props) -> Props:
    """Return the props to send so that a component that shows `old` shows `new`: changed ones only.

    A prop is sent whole when that is shorter than the operations that would change it.
    """
    changed: Props = {}
    for name, value in new.items():
        if name in old and old[name] == value:
            continue
        if name in old and isinstance(value, (dict, list)) and type(old[name]) is type(value):
            operations = _operations(old[name], value, [])
            # An operation at the prop itself replaces the whole; assigning the value says the same in less.
            if all(operation["location"] or operation["operation"] != "Assign" for operation in operations):
                patch = {PATCH_KEY: PATCH_KEY, "operations": operations}
                if len(orjson.dumps(patch)) < len(orjson.dumps(value)):
                    changed[name] = patch
                    continue
        changed[name] = value
    return changed


def _operation(kind: str, location: list[str | int], **params: Json) -> dict[str, Json]:
    return {"operation": kind, "location": location, "params": params}


def _operations(old: Json, new: Json, location: list[str | int]) -> list[dict[str, Json]]:
    if old == new:
        return []
    if isinstance(old, dict) and isinstance(new, dict):
        operations = []
        for key, value in new.items():
            if key in old:
                operations += _operations(old[key], value, [*location, key])
            else:
                operations.append(_operation("Assign", [*location, key], value=value))
        operations += [_operation("Delete", [*location, key]) for key in old if key not in new]
        return operations
    if isinstance(old, list) and isinstance(new, list):
        return _list_operations(old, new, location)
    return [_operation("Assign", location, value=new)]


def _list_operations(old: list[Json], new: list[Json], location: list[str | int]) -> list[dict[str, Json]]:
    """Tables grow at the top and lose at the end, series the other way round: both are shifts."""
    for shift in range(1, min(MAX_SHIFT, len(old), len(new)) + 1):
        kept = len(new) - shift
        if kept < shift:
            break  # so little stays that it is no shift
        if len(old) >= kept and new[shift:] == old[:kept]:  # moved down: prepend, cut the end
            cut = [_operation("Delete", [*location, index]) for index in range(len(old) - 1, kept - 1, -1)]
            return cut + [_operation("Prepend", location, value=value) for value in reversed(new[:shift])]
        if len(old) == len(new) and new[:-shift] == old[shift:]:  # moved up: cut the start, extend
            cut = [_operation("Delete", [*location, 0]) for _ in range(shift)]
            return [*cut, _operation("Extend", location, value=new[-shift:])]
        if len(new) == len(old) + shift and new[: len(old)] == old:
            return [_operation("Extend", location, value=new[len(old) :])]
    if len(old) == len(new):
        return [
            operation
            for index, (before, after) in enumerate(zip(old, new, strict=True))
            for operation in _operations(before, after, [*location, index])
        ]
    return [_operation("Assign", location, value=new)]
