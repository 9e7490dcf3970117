"""`why`: one address, and the standing of every node in its election."""

import argparse
from typing import Final

from duravip_api.reasons import Reason
from duravip_cli.command_line import Verb
from duravip_cli.context import Context
from duravip_cli.errors import ExitCode
from duravip_cli.explain.inferred_snapshot import InferredSnapshot, infer_settled
from duravip_cli.explain.standings import Standing, decide_now, standings
from duravip_cli.objects import ObjectLists
from duravip_cli.output import Output
from duravip_cli.rows import AddressRow, address_rows, exactly_one
from duravip_operator.core.address_status import AddressStatus
from duravip_operator.core.snapshot import VipObject
from duravip_runtime.text import summarize

MAX_PORTS: Final = 16
"""At most this many ports are listed."""

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
    parser.add_argument(
        "what", metavar="ADDRESS", help="or the NAME of an object on it, or TYPE/NAME"
    )


def run(context: Context) -> ExitCode:
    """Print one address, its objects and the nodes."""
    lists = context.read_allowed()
    target = context.target(context.arguments.what)
    row = exactly_one(address_rows(lists, [target]), target)
    if lists.refused:
        _print_status(context, row, lists)
        return ExitCode.OK
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


def _print_status(context: Context, row: AddressRow, lists: ObjectLists) -> None:
    """What the statuses say, for somebody who may not read what an election needs."""
    why = next(iter(lists.refused.values()))
    if context.output.is_json:
        context.output.json({"address": row.address, "status": row.as_json(), "note": why})
        return
    _print_headline(context.output, row)
    for label in row.entities:
        context.output.line(label)
    if row.reason != Reason.SERVED:
        context.output.line(f"  {row.message} ({row.reason})")
    context.output.line()
    context.output.line(f"Why each node has it or not cannot be told: {why}.")


def _print_headline(out: Output, row: AddressRow) -> None:
    owner = f" by {row.owner} on {row.interface or '?'}" if row.owner else ""
    since = f" since {out.ago(row.since)}" if row.since else ""
    out.line(f"{row.address or 'no address'}: {row.state or 'no status yet'}{owner}{since}")
    if row.last_move:
        out.line(f"  last move: {out.move(row.last_move)}")


def _print(
    context: Context,
    row: AddressRow,
    verdicts: list[tuple[VipObject, AddressStatus]],
    computed: tuple[list[Standing], str],
) -> None:
    out, (ranked, note) = context.output, computed
    _print_headline(out, row)
    if row.expose == "Declared":
        ports = sorted({port for vip, _ in verdicts for port, _ in vip.services})
        listed = summarize(ports, MAX_PORTS) if ports else "no port"
        out.line(f"  expose: Declared: lets in {listed}, ICMP, and replies")
    for vip, verdict in verdicts:
        _print_object(out, row, vip, verdict)
    if ranked:
        out.line()
        out.table(
            ("NODE", "STANDING", "REASON", "BECAUSE"),
            [(s.node, s.standing, s.reason or "-", s.sentence) for s in ranked],
        )
    out.line()
    more = f" Note: {note}." if note else ""
    out.line(f"Computed now, by the operator's own election.{more}")


def _print_object(out: Output, row: AddressRow, vip: VipObject, verdict: AddressStatus) -> None:
    """An object, and what is to be said of it that the headline does not say."""
    wants = f"prefers {vip.preference}" if vip.preference else ""
    wants = f"follows {vip.follow}" if vip.follow else wants
    out.line(f"{vip.label}{f' ({wants})' if wants else ''}")
    if vip.origin:
        pool = f", from AddressPool {vip.origin.pool}" if vip.origin.pool else ""
        out.line(f"  for Service {vip.namespace}/{vip.origin.name}{pool}: edit that Service")
    message = verdict.message.removeprefix(f"{vip.label}: ")
    if (verdict.state, verdict.reason) != (row.state, row.reason):
        now = f"; the status says {row.reason}" if row.reason else ""
        out.line(f"  {verdict.state}: {message} ({verdict.reason}{now})")
    elif verdict.reason is not Reason.SERVED:
        out.line(f"  {message} ({verdict.reason})")
    for kind, reason, advice in verdict.advisories:
        if reason is not verdict.reason:
            more = f", {reason}" if reason != kind else ""
            out.line(f"  {advice.removeprefix(f'{vip.label}: ')} ({kind}{more})")


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
                "service": vip.origin.name if vip.origin else None,
                "pool": (vip.origin.pool or None) if vip.origin else None,
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
