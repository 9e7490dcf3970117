"""`simulate`: who would have which address if something happened."""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from duravip_cli.command_line import Verb
from duravip_cli.context import Call
from duravip_cli.errors import Code, CommandError
from duravip_cli.explain.forecast import Forecast, drained, failed, forecast
from duravip_cli.explain.inferred_snapshot import view
from duravip_cli.manifests.documents import Document, read
from duravip_cli.manifests.files import texts
from duravip_cli.manifests.validation import applied, refusals
from duravip_cli.verbs.why import settled
from duravip_cli.views.objects import Lists
from duravip_operator.core.snapshot import Snapshot

VERB: Final = Verb(
    summary="Tell which addresses would move, and where, if something happened",
    details=(
        "Nothing is changed. The operator's own election is run on the cluster as it is, without "
        "manifests that its admission would refuse. Ends with 1 when there are any, or when an "
        "address that has an owner would have none."
    ),
    examples=(
        ("simulate --fail n1", "if n1 lost power"),
        ("simulate --drain n1 n2", "if both were drained"),
        ("simulate --apply new.yaml", "if these manifests were applied"),
    ),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `simulate` takes."""
    for option, metavar, does in (
        ("--fail", "NODE", "they lose power"),
        ("--drain", "NODE", "they are drained"),
        ("--apply", "FILE", "these manifests are applied"),
    ):
        parser.add_argument(
            option, action="extend", nargs="+", default=[], metavar=metavar, help=does
        )


def run(call: Call) -> Code:
    """Print the addresses that would have another owner."""
    asked = call.asked
    if not (asked.fail or asked.drain or asked.apply):
        raise CommandError("say what to simulate: --fail, --drain or --apply", Code.UNUSABLE)
    lists = call.everything()
    seen = settled(call, lists)
    before = seen.snapshot
    _insist(before, [*asked.fail, *asked.drain])
    documents = _documents(call) if asked.apply else ()
    refused = refusals(documents, lists) if documents else {}
    after = _applied(lists, [d for d in documents if d.label not in refused], before)
    found = forecast(before, drained(failed(after, asked.fail), asked.drain))
    if call.output.is_json:
        call.output.json(
            {
                "moves": [change.as_json() for change in found.changes],
                "unchanged": found.unchanged,
                "load": found.load,
                "refused": {label: why.message for label, why in refused.items()},
                "note": seen.note,
            }
        )
    else:
        for why in refused.values():
            call.output.line(f"left out, since it would be refused: {why.message}")
        _print(call, found, seen.note)
    return Code.PROBLEM if found.is_loss or refused else Code.FINE


def _insist(snapshot: Snapshot, names: list[str]) -> None:
    for name in names:
        if name not in snapshot.nodes:
            raise CommandError(f"there is no node {name}")


def _documents(call: Call) -> tuple[Document, ...]:
    reading = read(texts(call.asked.apply), call.namespace or "default")
    if reading.problems:
        raise CommandError(f"{reading.problems[0].line} (see `kubectl duravip validate`)")
    return tuple(reading.documents)


def _applied(lists: Lists, documents: Sequence[Document], before: Snapshot) -> Snapshot:
    """The snapshot with these in it; hearing stays what it was inferred to be."""
    if not documents:
        return before
    after = view(applied(lists, documents)).snapshot
    return replace(before, vips=after.vips, topologies=after.topologies)


def _print(call: Call, found: Forecast, note: str) -> None:
    if found.changes:
        call.output.table(
            ("ADDRESS", "FROM", "TO", "REASON", "MESSAGE"),
            [(c.address, c.before or "-", c.after or "-", c.reason, c.message)
             for c in found.changes],
        )  # fmt: skip
        call.output.line()
    load = ", ".join(f"{node} {count}" for node, count in sorted(found.load.items()))
    call.output.line(
        f"{len(found.changes)} addresses would have another owner, {found.unchanged} would not; "
        f"then: {load or 'no node'}"
    )
    call.output.line("Nothing was changed." + (f" Note: {note}." if note else ""))
