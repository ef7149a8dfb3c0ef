"""Under which names the app may be asked for: what a page of another site can't have made up by DNS rebinding.

A page whose own name suddenly leads to 127.0.0.1 is of the same origin as what it finds there, and reads all of it. Its
requests still carry that name. So an app that listens on loopback answers to addresses, to names without a dot (of this
machine or its network: nobody can register one) and to those that its operator gave it; one that listens elsewhere has
names that nobody here knows, and answers to any until it is told.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from urllib.parse import urlsplit

from flask import Flask, Response, request

from api.answers import problem
from live.tally import Tally

ANY = "*"


def name_of(host: str) -> str:
    """Return the name in a `Host` header, without its port.

    Args:
        host: For instance `board.example.org:8050` or `[::1]:8050`.
    """
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:  # a bracket without its other half
        return host


def is_address(name: str) -> bool:
    """Return whether a name is an address, which no DNS server can point elsewhere.

    Args:
        name: Without a port, and without brackets.
    """
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def is_ours(name: str) -> bool:
    """Return whether no stranger can have a name lead here: an address, or one that isn't in the public DNS.

    Args:
        name: Without a port.
    """
    return "." not in name or is_address(name) or name.endswith(".localhost")


def names_allowed(bound_to: str, allowed_hosts: Sequence[str], allowed_origins: Sequence[str]) -> frozenset[str]:
    """Return the names that an app answers to besides those that `is_ours`; `*` among them: to any.

    Args:
        bound_to: Where it listens.
        allowed_hosts: The names that its operator gave it.
        allowed_origins: Origins of browsers that may open the live channels: pages of these come from there.
    """
    loopback = ipaddress.ip_address(bound_to).is_loopback if is_address(bound_to) else bound_to == "localhost"
    if not allowed_hosts and not loopback:
        return frozenset({ANY})
    return frozenset(name.lower().rstrip(".") for name in allowed_hosts) | {
        name_of(urlsplit(one).netloc) for one in allowed_origins
    }


def guard_hosts(server: Flask, names: frozenset[str], refused: Tally) -> None:
    """Refuse requests for a name that isn't the app's, before anything else looks at them.

    Args:
        server: The app.
        names: What `names_allowed` returned.
        refused: Counts them.
    """
    if ANY in names:
        return

    def check_host() -> Response | None:
        name = name_of(request.headers.get("Host", ""))
        if is_ours(name) or name in names:
            return None
        refused.add("requests for a foreign host name")
        return problem(
            403,
            f"this app doesn't answer to the name {name[:80]!r}: if that is its name, set SCRAPEBOARD_ALLOWED_HOSTS",
        )

    server.before_request_funcs.setdefault(None, []).insert(0, check_host)
