"""What goes wrong between the command line, the pages and the network."""

from __future__ import annotations


class ExportRefused(Exception):  # noqa: N818 - the name says what happened
    """What `export` was asked for can't be written; one line that says why."""


class AddressRefused(Exception):  # noqa: N818 - the name says what happened
    """The app can't listen where it is told to; one line that says why."""
