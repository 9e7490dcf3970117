"""The log: one line a change on stderr, as text or as JSON."""

import logging

from duravip_runtime.log_format import Json, Text


def set_up(form: str, level: str) -> None:
    """Log from now on in this form, and nothing below this level."""
    handler = logging.StreamHandler()
    handler.setFormatter(Json() if form == "json" else Text())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("duravip_agent").setLevel(level.upper())
    for name in ("kubernetes", "urllib3"):  # they say each thing again that we say, at length
        logging.getLogger(name).setLevel(logging.CRITICAL)
