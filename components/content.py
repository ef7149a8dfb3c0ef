"""The type of what pages show: component ids with the props that data decides."""

from __future__ import annotations

from typing import Any, TypeAlias

# Component id -> props. Values are JSON, or Dash components inside `children`.
Content: TypeAlias = dict[str, dict[str, Any]]
