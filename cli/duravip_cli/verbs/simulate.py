"""`simulate`: the owners that addresses would have after a failure, a drain or an edit."""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from duravip_cli.command_line import Verb
from duravip_cli.context import Context
from duravip_cli.errors import CommandError, ExitCode
from duravip_cli.explain.forecast import Forecast, forecast, with_drained, with_failed
from duravip_cli.explain.inferred_snapshot import infer_settled, infer_snapshot
from duravip_cli.manifests.documents import Document, parse_manifests
from duravip_cli.manifests.files import read_files
from duravip_cli.manifests.validation import admission_refusals, with_documents
from duravip_cli.objects import ObjectLists
from duravip_cli.targets import parse_node
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
    for option, metavar, parsed, does in (
        ("--fail", "NODE", parse_node, "they lose power"),
        ("--drain", "NODE", parse_node, "they are drained"),
        ("--apply", "FILE", str, "these manifests are applied"),
    ):
        parser.add_argument(
            option, action="extend", nargs="+", default=[], metavar=metavar, type=parsed, help=does
        )


def run(context: Context) -> ExitCode:
    """Print the addresses that would have another owner."""
    arguments = context.arguments
    if not (arguments.fail or arguments.drain or arguments.apply):
        raise CommandError("say what to simulate: --fail, --drain or --apply", ExitCode.USAGE)
    documents = _documents(context) if arguments.apply else ()
    lists = context.read_all([document.body for document in documents])
    inferred = infer_settled(lists, context.read_plumbings_again)
    before = inferred.snapshot
    for name in (*arguments.fail, *arguments.drain):
        if name not in before.nodes:
            raise CommandError(f"there is no node {name}")
    refused = admission_refusals(documents, lists) if documents else {}
    after = _with_documents(lists, [d for d in documents if d.label not in refused], before)
    outcome = forecast(before, with_drained(with_failed(after, arguments.fail), arguments.drain))
    if context.output.is_json:
        context.output.json(
            {
                "moves": [change.as_json() for change in outcome.changes],
                "unchanged": outcome.unchanged,
                "load": outcome.load,
                "refused": {label: why.message for label, why in refused.items()},
                "note": inferred.note,
            }
        )
    else:
        for why in refused.values():
            context.output.line(f"left out, since it would be refused: {why.message}")
        _print(context, outcome, inferred.note)
    return ExitCode.PROBLEM if outcome.is_loss or refused else ExitCode.OK


def _documents(context: Context) -> tuple[Document, ...]:
    reading = parse_manifests(read_files(context.arguments.apply), context.namespace or "default")
    if reading.problems:
        raise CommandError(f"{reading.problems[0].line} (see `kubectl duravip validate`)")
    return tuple(reading.documents)


def _with_documents(
    lists: ObjectLists, documents: Sequence[Document], before: Snapshot
) -> Snapshot:
    """The snapshot with these documents applied; the liveness of nodes stays as inferred."""
    if not documents:
        return before
    after = infer_snapshot(with_documents(lists, documents)).snapshot
    return replace(before, vips=after.vips, topologies=after.topologies)


def _print(context: Context, outcome: Forecast, note: str) -> None:
    if outcome.changes:
        context.output.table(
            ("ADDRESS", "FROM", "TO", "REASON", "MESSAGE"),
            [(c.address, c.before or "-", c.after or "-", c.reason, c.message)
             for c in outcome.changes],
        )  # fmt: skip
        context.output.line()
    load = ", ".join(f"{node} {count}" for node, count in sorted(outcome.load.items()))
    moved = sum(bool(change.after) for change in outcome.changes)
    lost = len(outcome.changes) - moved
    context.output.line(
        f"of {len(outcome.changes) + outcome.unchanged} addresses {moved} would have another "
        f"owner, {lost} none, {outcome.unchanged} the same as now; then: {load or 'no node'}"
    )
    context.output.line("Nothing was changed." + (f" Note: {note}." if note else ""))
