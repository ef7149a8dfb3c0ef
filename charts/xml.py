"""Text in XML: what SVG pictures need to hold any name."""

from __future__ import annotations

import re
from html import escape

# All that the XML 1.0 production Char leaves out: control characters, surrogates, non-characters.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def xml_text(text: str) -> str:
    """Return text for an XML element or attribute: markup escaped, characters that XML forbids replaced."""
    return escape(_FORBIDDEN.sub("\ufffd", text))
