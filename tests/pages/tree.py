"""Looking into a tree of Dash components."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dash.development.base_component import Component


def components_of(tree: Any) -> Iterator[Component]:
    """Yield every component of a tree, wherever it hides."""
    if isinstance(tree, Component):
        yield tree
        for name in tree._prop_names:
            if hasattr(tree, name):
                yield from components_of(getattr(tree, name))
    elif isinstance(tree, (list, tuple)):
        for item in tree:
            yield from components_of(item)
    elif isinstance(tree, dict):
        for item in tree.values():
            yield from components_of(item)


def ids_of(tree: Any) -> list[str]:
    """Return every id of a tree, repeated ones repeated; an id that is a pattern as its text."""
    return [str(component.id) for component in components_of(tree) if getattr(component, "id", None)]


def find_id(tree: Any, id: str) -> Component:
    """Return the component with an id."""
    return next(component for component in components_of(tree) if getattr(component, "id", None) == id)


def texts_of(tree: Any) -> list[str]:
    """Return every text that a tree shows, in order."""
    if isinstance(tree, str):
        return [tree]
    if isinstance(tree, (list, tuple)):
        return [text for item in tree for text in texts_of(item)]
    return texts_of(getattr(tree, "children", None)) if isinstance(tree, Component) else []
