"""`why`: one address, and the standing of every node in its election."""

import argparse
from typing import Final

from duravip_cli.command_line import Verb
from duravip_cli.context import Context
from duravip_cli.errors import ExitCode
from duravip_cli.explain.inferred_snapshot import InferredSnapshot, infer_settled
from duravip_cli.explain.standings import Standing, decide_now, standings
from duravip_cli.views.addresses import AddressRow, address_rows, exactly_one
from duravip_operator.core.address_status import AddressStatus
from duravip_operator.core.snapshot import VipObject

VERB: Final = Verb(
    summary="Explain one address: why each node is, or is not, its owner",
    details=(
        "The election is computed here, by the operator's own code, from what the API server "
        "knows. Whom the operator hears is not in there: it is inferred, and the output says "
        "from what."
    ),
    examples=(
        ("why 10.1.1.1", "every node's standing"),
        ("why mail/smtp-1", "by an object's name"),
    ),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `why` takes."""
    parser.add_argument("what", metavar="ADDRESS", help="or the NAME of an object on it")


def run(context: Context) -> ExitCode:
    """Print one address, its objects and the nodes."""
    lists = context.read_all()
    row = exactly_one(
        address_rows(lists, [context.qualify(context.arguments.what)]), context.arguments.what
    )
    inferred = infer_settled(lists, context.read_plumbings_again)
    decision = decide_now(inferred.snapshot)
    ranked = standings(inferred, decision, row.address) if row.address in decision.units else []
    verdicts = [
        (e, decision.status_of(e)) for e in inferred.snapshot.vips if e.label in row.entities
    ]
    if context.output.is_json:
        context.output.json(_json(row, verdicts, ranked, inferred))
    else:
        _print(context, row, verdicts, (ranked, inferred.note))
    return ExitCode.OK


def _print(
    context: Context,
    row: AddressRow,
    verdicts: list[tuple[VipObject, AddressStatus]],
    computed: tuple[list[Standing], str],
) -> None:
    out, (ranked, note) = context.output, computed
    owner = f" by {row.owner}" if row.owner else ""
    since = f", since {out.ago(row.since)}" if row.since else ""
    out.line(f"{row.address or 'no address'}: {row.state or 'no status yet'}{owner}{since}")
    if row.message:
        out.line(f"  {row.reason}: {row.message}")
    if row.last_move:
        out.line(f"  last move: {out.move(row.last_move)}")
    out.line()
    for vip, verdict in verdicts:
        wants = f"prefers {vip.preference}" if vip.preference else ""
        wants = f"follows {vip.follow}" if vip.follow else wants
        out.line(f"{vip.label}{f' ({wants})' if wants else ''}")
        out.line(f"  {verdict.state}: {verdict.reason}: {verdict.message}")
        for kind, reason, message in verdict.advisories:
            if reason is not verdict.reason:
                out.line(f"  {kind}: {reason}: {message}")
    if ranked:
        out.line()
        out.table(
            ("NODE", "STANDING", "REASON", "BECAUSE"),
            [(s.node, s.standing, s.reason or "-", s.sentence) for s in ranked],
        )
        out.line()
        more = f" Note: {note}." if note else ""
        out.line(f"Computed now, by the operator's own election.{more}")


def _json(
    row: AddressRow,
    verdicts: list[tuple[VipObject, AddressStatus]],
    ranked: list[Standing],
    inferred: InferredSnapshot,
) -> dict[str, object]:
    return {
        "address": row.address,
        "status": row.as_json(),
        "objects": [
            {
                "object": vip.label,
                "state": verdict.state,
                "reason": verdict.reason,
                "sentence": verdict.reason.sentence,
                "message": verdict.message,
                "flags": verdict.flags,
                "conditions": [
                    {"type": kind, "reason": reason, "message": message}
                    for kind, reason, message in verdict.advisories
                ],
            }
            for vip, verdict in verdicts
        ],
        "nodes": [s._asdict() for s in ranked],
        "hearing": {
            "note": inferred.note,
            "nodes": {
                name: {"taken": alive.state.value, "because": alive.basis}
                for name, alive in inferred.liveness.items()
            },
        },
    }
