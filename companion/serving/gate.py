"""Who may ask the browser face for anything: three questions to every request, and whether an address is this computer.

Pure: knows headers and paths as text, and no web framework. Stands against other users of this computer and of the
network (the token), against pages of other sites that reach for this one (the origin), and against names of other
sites that suddenly mean this computer (the host).
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

TOKEN_BYTES = 32


def new_token() -> str:
    """A token that cannot be guessed: 256 bits, in letters that an address takes as they are."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def is_address(host: str) -> bool:
    """Whether a host is given as an IP address and not as a name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def is_this_computer(host: str) -> bool:
    """Whether only this computer reaches a server at ``host``. Of the names, ``localhost`` alone is (RFC 6761 6.3)."""
    return host.lower() == "localhost" or (is_address(host) and ip_address(host).is_loopback)


def authority(host: str, port: int) -> str:
    """``host:port`` as an address has it: IPv6 in brackets (RFC 3986 3.2.2)."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@dataclass(frozen=True, slots=True)
class Gate:
    """Lets requests in that carry the token, under a host that is this computer, from pages of its own.

    ``name`` is the host under which it was asked to be reached.
    """

    name: str
    port: int
    token: str = field(default_factory=new_token, repr=False)  # whatever prints a gate, prints no token

    def lets_in(self, path: str, host: str | None, origin: str | None, *, websocket: bool) -> bool:
        """Whether a request may pass. ``path`` begins with the token; ``host`` and ``origin`` are the headers.

        A browser sends the origin with every websocket (RFC 6455 10.2), so one without it is refused.
        """
        if host is None or not self._is_ours(host):
            return False
        if not self._carries_token(path):
            return False
        if origin is None:
            return not websocket
        return origin.lower() == f"http://{host}".lower()

    def _carries_token(self, path: str) -> bool:
        first = path.split("/", 2)[1] if path.startswith("/") else ""
        return secrets.compare_digest(first.encode("utf-8", "surrogatepass"), self.token.encode())

    def _is_ours(self, host: str) -> bool:
        """Whether a Host header is one of ours. DNS rebinding needs a name, so every IP address is."""
        try:
            parts: SplitResult = urlsplit(f"//{host}")
            port = parts.port or 80
        except ValueError:
            return False
        if parts.netloc != host or "@" in host or parts.hostname is None or port != self.port:
            return False
        return is_address(parts.hostname) or parts.hostname in {"localhost", self.name.lower()}
