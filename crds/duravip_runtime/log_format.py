"""How all programs log: one line a change on stderr, as text or as JSON."""

import json
import logging
from datetime import UTC, datetime

from duravip_runtime.text import printable


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")


class TextFormatter(logging.Formatter):
    """Time, level, message."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, whatever is in it, and behind it a traceback, indented, where there is one."""
        said = printable(record.getMessage())
        line = f"{_time(record)} {record.levelname.lower():7} {said}"
        if not record.exc_info:
            return line
        behind = self.formatException(record.exc_info).splitlines()
        return "\n".join([line, *(f"  {printable(part)}" for part in behind)])


class JsonFormatter(logging.Formatter):
    """The same as an object."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, whatever is in it."""
        fields = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
        return json.dumps(fields)


def set_up(form: str, level: str) -> None:
    """Log to stderr from now on, as `text` or `json`; of our own packages what has this level.

    Libraries that say each thing again that we say, at length and with a traceback, are silent.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    ours = ("operator", "agent", "hooks", "mail", "runtime")
    for package in (f"duravip_{name}" for name in ours):
        logging.getLogger(package).setLevel(level.upper())
    for library in ("kopf", "kubernetes", "urllib3", "aiohttp", "asyncio"):
        logging.getLogger(library).setLevel(logging.CRITICAL)
