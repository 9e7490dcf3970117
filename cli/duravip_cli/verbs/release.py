"""`release`: asks the operator to move addresses away from their owners."""

import argparse
from collections.abc import Callable
from typing import Final, NamedTuple

from duravip_api.annotations import RELEASE_FROM
from duravip_cli.annotations import remove_spent_requests, write_request
from duravip_cli.command_line import Verb, add_wait
from duravip_cli.context import Context, wait_for
from duravip_cli.errors import CommandError, ExitCode
from duravip_cli.explain.inferred_snapshot import infer_settled
from duravip_cli.explain.standings import decide_now, release_refusal
from duravip_cli.objects import Body, EntityKind, ObjectLists, namespace_of, spec_of, status_of
from duravip_cli.rows import AddressRow, address_order, address_rows, require_matches
from duravip_cli.targets import parse_node, parse_target

ReleaseRequest = tuple[AddressRow, tuple[EntityKind, Body]]
"""An address, and the object that its request was written on."""


class ReleaseResult(NamedTuple):
    """The outcome for one address."""

    address: str
    before: str
    after: str
    """Empty: it has not moved, or --no-wait was given."""
    gap: int | None
    problem: str


VERB: Final = Verb(
    summary="Have addresses move away from their owners, which stay in service",
    details=(
        "Another node is elected for each; followers go along. What prefers its owner, or has no "
        "other node, stays, and the answer says so: it then ends with 1. To take a node out of "
        "service, use `drain`."
    ),
    examples=(
        ("release 10.1.1.1", "another node gets it"),
        ("release --group out -n mail", "all addresses of a binding group"),
        ("release --all --from n1", "all that n1 owns; so does --from n1 alone"),
        ("release --all --from n1 --no-wait -o json", "only ask for it; for a program"),
    ),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `release` takes."""
    parser.add_argument("what", nargs="*", metavar="ADDRESS|NAME")
    parser.add_argument("--group", metavar="GROUP", help="all addresses of a binding group")
    parser.add_argument(
        "--from", "--node", dest="source", metavar="NODE", type=parse_node,
        help="only those that this node owns; alone, or with --all: all of them",
    )  # fmt: skip
    parser.add_argument("--all", action="store_true", help="every address of the node of --from")
    add_wait(parser, "wait until each is served elsewhere", 30)


def run(context: Context) -> ExitCode:
    """Write the requests; with --wait, report where the addresses went."""
    _check_usage(context)
    lists = context.read_allowed()
    chosen = _chosen(context, lists)
    refusal = _refusals(context, lists)
    pending: list[ReleaseRequest] = []
    results: list[ReleaseResult] = []
    for row in chosen:
        if why := refusal(row):
            results.append(ReleaseResult(row.address, row.owner, "", None, why))
        else:
            pending.append((row, write_request(context, lists, row, {RELEASE_FROM: row.owner})))
    results += _wait(context, pending)
    results.sort(key=lambda result: address_order(result.address))
    _print(context, results)
    return ExitCode.PROBLEM if any(result.problem for result in results) else ExitCode.OK


def _refusals(context: Context, lists: ObjectLists) -> Callable[[AddressRow], str]:
    """Why an address cannot be released; empty: it can, as far as one may know."""
    if lists.refused:  # the operator's answer has to do
        return lambda row: "" if row.owner else "it has no owner"
    inferred = infer_settled(lists, context.read_plumbings_again)
    decision = decide_now(inferred.snapshot)
    return lambda row: release_refusal(inferred, decision, row)


def _check_usage(context: Context) -> None:
    """Addresses must be named, and in one way only."""
    arguments = context.arguments
    if not (arguments.what or arguments.group or arguments.source):
        which = "of which node: --from NODE" if arguments.all else "ADDRESS, --group or --from"
        raise CommandError(f"say what to release: {which}", ExitCode.USAGE)
    if arguments.all and (arguments.what or arguments.group):
        raise CommandError("give either --all or what to release", ExitCode.USAGE)


def _chosen(context: Context, lists: ObjectLists) -> list[AddressRow]:
    """The addresses of the group and of the names; with --from only those of that node."""
    arguments = context.arguments
    given = context.targets(arguments.what)
    require_matches(lists, given)
    if arguments.group:
        members = [
            spec_of(body)
            for body in lists.bindings
            if spec_of(body).get("group") == arguments.group
            and context.namespace in {"", namespace_of(body)}
        ]
        if not members:
            raise CommandError(f"no Binding is in the group {arguments.group}")
        addresses = [str(spec["address"]) for spec in members if spec.get("address")]
        if not addresses:
            raise CommandError(f"no Binding of the group {arguments.group} has an address")
        given += map(parse_target, addresses)
    rows = address_rows(lists, given or None)
    if not arguments.source:
        return rows
    if context.api.read("NodePlumbing", arguments.source) is None:
        raise CommandError(f"there is no NodePlumbing of the node {arguments.source}")
    return [r for r in rows if r.owner == arguments.source and (given or not r.follows)]


def _wait(context: Context, pending: list[ReleaseRequest]) -> list[ReleaseResult]:
    """Wait for all addresses together, within one --timeout."""
    results: dict[str, ReleaseResult] = {}

    def look() -> bool | None:
        for row, first in pending:
            if row.address not in results and (moved := _result(context, row, *first)):
                results[row.address] = moved
        return len(results) == len(pending) or None

    if context.arguments.wait:
        wait_for(context, look)
        for row, first in pending:
            if row.address in results:
                remove_spent_requests(context, *first)
    late = f"still there after {context.arguments.timeout:g} s" if context.arguments.wait else ""
    return [
        results.get(row.address) or ReleaseResult(row.address, row.owner, "", None, late)
        for row, _ in pending
    ]


def _result(
    context: Context, row: AddressRow, kind: EntityKind, body: Body
) -> ReleaseResult | None:
    """The result once the address has a new owner; None before."""
    meta = body["metadata"]
    status = status_of(context.api.read(kind, meta["name"], meta.get("namespace", "")) or {})
    owner = str(status.get("owner") or "")
    if status.get("state") != "Owned" or owner == row.owner:
        return None
    gap = (status.get("lastMove") or {}).get("gapMilliseconds")
    return ReleaseResult(row.address, row.owner, owner, gap, "")


def _print(context: Context, results: list[ReleaseResult]) -> None:
    if context.output.is_json:
        names = ("address", "from", "to", "gapMilliseconds", "problem")
        context.output.json([dict(zip(names, one, strict=True)) for one in results])
    elif results:
        message = "" if context.arguments.wait else "asked for"
        rows = [
            (one.address, one.before or "-", one.after or "-",
             "" if one.gap is None else f"{one.gap} ms", one.problem or message)
            for one in results
        ]  # fmt: skip
        context.output.table(("ADDRESS", "FROM", "TO", "GAP", "MESSAGE"), rows)
    else:
        context.output.line("there is nothing to release")
