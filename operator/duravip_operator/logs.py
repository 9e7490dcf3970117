"""The log: one line a change on stderr, as text or as JSON."""

import logging

from duravip_runtime.log_format import Json, Text

CHATTY = ("kopf", "kubernetes", "urllib3", "aiohttp", "asyncio")
"""Libraries that log every retry, with a traceback: we say once what is away, and once what is
back."""


def set_up(form: str, level: str) -> None:
    """Log from now on in this form, and nothing below this level."""
    handler = logging.StreamHandler()
    handler.setFormatter(Json() if form == "json" else Text())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.CRITICAL)
