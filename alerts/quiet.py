"""Libraries that would log what mustn't be told are kept from it."""

from __future__ import annotations

import logging


def keep_quiet(name: str) -> None:
    """Keep a library from logging: it repeats addresses with their tokens, urllib3 the path of every request.

    Args:
        name: Of its logger.
    """
    logger = logging.getLogger(name)
    logger.propagate = False
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
