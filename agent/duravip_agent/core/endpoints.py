"""HOST:PORT, as people and specs write it."""

from ipaddress import ip_address

_HIGHEST_PORT = 65535


def endpoint(text: str) -> tuple[str, int]:
    """`(host, port)`; an IPv6 host stands in brackets. Raises ValueError with a sentence."""
    host, colon, port = text.rpartition(":")
    is_bracketed = host.startswith("[") and host.endswith("]")
    name = host[1:-1] if is_bracketed else host
    if not colon or not name or (":" in name) != is_bracketed:
        raise ValueError(f"{text!r} is not HOST:PORT")
    if not port.isdecimal() or not 0 < int(port) <= _HIGHEST_PORT:
        raise ValueError(f"{text!r} has no port between 1 and {_HIGHEST_PORT}")
    return name, int(port)


def is_numeric(host: str) -> bool:
    """Whether the host is an address, which needs no look-up."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
