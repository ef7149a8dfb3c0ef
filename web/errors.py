"""What goes wrong between the command line and the pages."""

from __future__ import annotations


class ExportRefused(Exception):  # noqa: N818 - the name says what happened
    """What `export` was asked for can't be written; one line that says why."""
