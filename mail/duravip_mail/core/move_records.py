"""Who handed which message over to whom: the account of moves, from the logs of Postfix.

A node that hands a message over logs each try, with the name that the message got at the other
node. That node logs the name, and the one that the message had before (XFORWARD).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from duravip_mail.core.audit import MOVES, Delivery, event_in

_TAKEN: Final = re.compile(rf"^.{{15}} \S+ {MOVES}/smtpd\[\d+\]: (?P<id>\w+): client=")
_SIZE: Final = re.compile(r"/qmgr\[\d+\]: (?P<id>\w+): from=<.*>, size=(?P<size>\d+), ")


@dataclass(frozen=True, slots=True)
class MoveRecord:
    """One try for one recipient; or, at the node that took a message, only its name there."""

    time: float
    """In seconds since 1970."""
    queue_id: str
    """By which the node that has logged it knows the message."""
    is_taken: bool = False
    """Whether that node took it from another one. All that follows is empty then."""
    address: str = ""
    """Of the Binding, to which it went; empty: nobody answered."""
    recipient: str = ""
    size: int = 0
    """In bytes; 0: the log does not say it any more."""
    result: str = ""
    """Postfix' word, e.g. sent or deferred."""
    answer: str = ""
    their_queue_id: str = ""
    """By which the node that took it knows the message."""


def move_records(lines: Iterable[tuple[float, str]]) -> list[MoveRecord]:
    """Every move in these lines, each with its time, in their order."""
    records: list[MoveRecord] = []
    sizes: dict[str, int] = {}
    for time, line in lines:
        if MOVES in line:
            records += _records(time, line, sizes)
        elif found := _SIZE.search(line):
            sizes[found["id"]] = int(found["size"])
    return records


def _records(time: float, line: str, sizes: dict[str, int]) -> Iterable[MoveRecord]:
    if taken := _TAKEN.match(line):
        yield MoveRecord(time, taken["id"], is_taken=True)
    event = event_in(line)
    if isinstance(event, Delivery) and event.is_move:
        yield MoveRecord(
            time,
            event.queue_id,
            address=event.address,
            recipient=event.recipient,
            size=sizes.get(event.queue_id, 0),
            result=event.status,
            answer=event.answer,
            their_queue_id=event.their_queue_id,
        )
