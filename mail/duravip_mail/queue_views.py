"""What people ask of a node's queue: `mailq` shows it, `rebind` has it looked at again.

And `moves`: which messages were handed over, or were tried to be.
"""

import json
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from duravip_api.annotations import format_clock_time
from duravip_api.fields import parse_duration
from duravip_mail.bindings import BindingsFile
from duravip_mail.core.move_records import MoveRecord, move_records
from duravip_mail.core.queue_summary import QueueEntry, QueueRow, own_routes, summarize_queue
from duravip_mail.core.routes import hand_over_route
from duravip_mail.maillog import dated_lines
from duravip_mail.postfix import Postfix, PostfixError, run_program
from duravip_mail.settings import MailqSettings, MovesSettings, RebindSettings
from duravip_mail.spool import DEFERRED, Spool
from duravip_runtime.text import format_age, format_table, printable, printable_json

HEADS: Final = ("GROUP/BINDING", "DOMAIN", "NODE", "ACTIVE", "DEFERRED", "OLDEST")
MOVE_HEADS: Final = ("TIME", "BINDING", "ADDRESS", "ID", "ID THERE", "SIZE", "RESULT", "ANSWER")


def show_queue(settings: MailqSettings) -> None:
    """Print the queue; raises PostfixError."""
    postfix = Postfix(settings.folder)
    routes = {m.queue_id: m.route for m in Spool(postfix.spool).messages()}
    listed = run_program(postfix.etc, "postqueue", "-j")
    rows = summarize_queue(_entries(listed, routes), BindingsFile(settings.bindings_file).read())
    if settings.output == "json":
        _print_json([asdict(row) | {"node": settings.node_name} for row in rows])
    else:
        _print_table(HEADS, (_cells(row, settings.node_name) for row in rows))


def show_moves(settings: MovesSettings) -> None:
    """Print the moves, the oldest first; raises PostfixError."""
    now = time.time()
    log = Postfix(settings.folder).folder / "log/maillog"
    names: dict[str, str] = {}
    for binding in BindingsFile(settings.bindings_file).read():
        names.setdefault(binding.address, binding.name)
    try:
        found = move_records(dated_lines(log, now - parse_duration(settings.since), now))
    except OSError as error:
        raise PostfixError(f"cannot read the log of Postfix: {error}") from error
    records = deque(found, settings.limit)
    if settings.output == "json":
        _print_json([_move(record, names, settings.node_name) for record in records])
    else:
        tries = (record for record in records if not record.is_taken)
        _print_table(MOVE_HEADS, (_move_cells(record, names) for record in tries))


def _print_json(values: list[dict[str, Any]]) -> None:
    sys.stdout.write(f"{printable_json(json.dumps(values, indent=2))}\n")


def _print_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    cells = [heads, *(tuple(map(printable, row)) for row in rows)]
    sys.stdout.write(f"{format_table(cells)}\n")


def _move(record: MoveRecord, names: Mapping[str, str], node: str) -> dict[str, Any]:
    when, binding = format_clock_time(record.time), names.get(record.address, "")
    return asdict(record) | {"time": when, "binding": binding, "node": node}


def _move_cells(record: MoveRecord, names: Mapping[str, str]) -> tuple[str, ...]:
    size = str(record.size or "-")
    return (
        format_clock_time(record.time), names.get(record.address, "-"), record.address or "-",
        record.queue_id, record.their_queue_id or "-", size, record.result, record.answer,
    )  # fmt: skip


def rebind(settings: RebindSettings) -> None:
    """Requeue what is deferred, of a Binding or of all; raises PostfixError."""
    postfix = Postfix(settings.folder)
    known = {b.name: b for b in BindingsFile(settings.bindings_file).read()}
    if settings.name and settings.name not in known:
        raise PostfixError(f"there is no binding {settings.name}")
    chosen = known.values() if settings.all else [known[settings.name]]
    wanted = {route for b in chosen for route in (*own_routes(b), hand_over_route(b.address))}
    again = [
        message.queue_id
        for message in Spool(postfix.spool).messages()
        if message.queue == DEFERRED
        and message.route
        and (settings.all or message.route in wanted)
    ]
    postfix.requeue(again)
    sys.stdout.write(f"{len(again)} messages are looked at again\n")


def _entries(listed: str, routes: Mapping[str, str]) -> Iterator[QueueEntry]:
    """From the lines of `postqueue -j`, each of them a JSON object (postqueue(1))."""
    for line in listed.splitlines():
        found = json.loads(line)
        route = routes.get(found["queue_id"])
        if route is None:
            continue  # it has come or gone between the two looks
        addresses = [recipient["address"] for recipient in found["recipients"]]
        domains = frozenset(address.rpartition("@")[2] for address in addresses)
        reasons = (recipient.get("delay_reason", "") for recipient in found["recipients"])
        reason = next(filter(None, reasons), "")
        yield QueueEntry(route, found["queue_name"], found["arrival_time"], domains, reason)


def _cells(row: QueueRow, node: str) -> tuple[str, ...]:
    age = format_age(time.time() - row.oldest)
    name = f"{row.group}/{row.binding}"
    return name, row.domain, node, str(row.active), str(row.deferred), age
