"""The name that this replica has when it is given none."""

import re
import secrets
import socket


def own_name() -> str:
    """The host's name and a random part: no two replicas share it."""
    host = re.sub(r"[^a-z0-9]+", "-", socket.gethostname().lower()).strip("-")[:40].strip("-")
    return f"{host or 'operator'}-{secrets.token_hex(3)}"
