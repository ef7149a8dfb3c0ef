"""How rows that are kept by URL or by result lie in their bytes: what those who write and who read these share."""

from __future__ import annotations

import struct

URLS = "urls"  # the dimension of what is kept once for a span, beside the breakdowns
URL_ROWS = "urls.rows"  # of its rows, a block in each; they begin a millisecond after one another
URL_REST = "urls.rest"  # and of what statistics don't need of them
BLOCK_ROWS = 1024
VERSION = 0x0405  # of no other pack
# What is kept once: facts, URLs, how many rows each has (or each result), the other texts by column, the URLs' hashes.
PIECES = ("facts", "urls", "counts", "result", "run", "fields", "hashes")
PLAIN = ("hashes",)  # not compressed: nothing would come of it
HEAD = struct.Struct(f"<HQQ{len(PIECES)}I")  # version, what its blocks begin with, rows, bytes of the pieces
# Earlier versions kept those texts in one piece, and no hashes; and results with the rest.
OLD_PIECES = ("facts", "urls", "counts", "told")
OLD_HEAD = struct.Struct(f"<HQQ{len(OLD_PIECES)}I")
STAMP = struct.Struct("<Q")
OF_EACH = ("at", "source", "flags", "items", "duration")
TOLD = ("url", "result", "run", "fields")  # columns of numbers of texts
ROWS, REST = (*OF_EACH, "result"), ("run", "fields", "data_size")
OLD_REST = ("result", *REST)
SCRAPE, SUCCESS = 1, 2  # of flags
