"""How rows that are kept by URL or by result lie in their bytes: what those who write and who read these share."""

from __future__ import annotations

import struct

URLS = "urls"  # the dimension of what is kept once for a span, beside the breakdowns
URL_ROWS = "urls.rows"  # of its rows, a block in each; they begin a millisecond after one another
URL_REST = "urls.rest"  # and of what statistics don't need of them
BLOCK_ROWS = 1024
VERSION = 0x0403  # of no other pack
# version, what its blocks begin with, rows, bytes of the facts, of the URLs, of their rows and of the other texts
HEAD = struct.Struct("<HQQIIII")
STAMP = struct.Struct("<Q")
ROWS = ("at", "source", "flags", "items", "duration")
TOLD = ("url", "result", "run", "fields")  # columns of numbers of texts
REST = ("result", "run", "fields", "data_size")
SCRAPE, SUCCESS = 1, 2  # of flags
