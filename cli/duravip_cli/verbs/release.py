"""`release`: has owners give addresses to other nodes."""

import argparse
from typing import Final, NamedTuple

from duravip_api.annotations import RELEASE_FROM
from duravip_cli.command_line import Verb, add_wait
from duravip_cli.context import Call, awaited
from duravip_cli.errors import Code, CommandError
from duravip_cli.explain.move_checks import against_releasing
from duravip_cli.explain.standings import decided
from duravip_cli.verbs.move import request, tidy
from duravip_cli.verbs.why import settled
from duravip_cli.views.addresses import Unit, order, units, unknown
from duravip_cli.views.objects import Body, EntityKind, Lists, namespace_of, spec_of, status_of

Asked = tuple[Unit, tuple[EntityKind, Body]]
"""An address, and the object on which the request was written."""


class Released(NamedTuple):
    """What became of one address."""

    address: str
    before: str
    after: str
    """Empty: still where it was, or nobody has waited."""
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
    parser.add_argument("--group", metavar="G", help="all addresses of a binding group")
    parser.add_argument(
        "--from", "--node", dest="source", metavar="NODE",
        help="only those that this node owns; alone, or with --all: all of them",
    )  # fmt: skip
    parser.add_argument("--all", action="store_true", help="every address of the node of --from")
    add_wait(parser, "wait until each is served elsewhere", 30)


def run(call: Call) -> Code:
    """Write the requests, and with --wait tell where the addresses went."""
    _insist(call)
    lists = call.everything()
    chosen = _chosen(call, lists)
    seen = settled(call, lists)
    made = decided(seen.snapshot)
    pending: list[Asked] = []
    found: list[Released] = []
    for unit in chosen:
        if why := against_releasing(seen, made, unit):
            found.append(Released(unit.address, unit.owner, "", None, why))
        else:
            pending.append((unit, request(call, lists, unit, {RELEASE_FROM: unit.owner})))
    found += _followed(call, pending)
    found.sort(key=lambda one: order(one.address))
    _print(call, found)
    return Code.PROBLEM if any(released.problem for released in found) else Code.FINE


def _insist(call: Call) -> None:
    """What is meant must be said, and in one way only."""
    asked = call.asked
    if not (asked.what or asked.group or asked.source):
        which = "of which node: --from NODE" if asked.all else "ADDRESS, --group or --from"
        raise CommandError(f"say what to release: {which}", Code.UNUSABLE)
    if asked.all and (asked.what or asked.group):
        raise CommandError("give either --all or what to release", Code.UNUSABLE)


def _chosen(call: Call, lists: Lists) -> list[Unit]:
    """The units that are meant: those of the group, of the names, and with --from on that node."""
    asked = call.asked
    given = [call.meant(text) for text in asked.what]
    if missing := unknown(lists, given):
        raise CommandError(f"no DuraVIP or Binding has the address or name {', '.join(missing)}")
    if asked.group:
        members = [
            body
            for body in lists.bindings
            if spec_of(body).get("group") == asked.group
            and call.namespace in {"", namespace_of(body)}
        ]
        if not members:
            raise CommandError(f"no Binding is in the group {asked.group}")
        addresses = [str(spec_of(body)["address"]) for body in members
                     if spec_of(body).get("address")]  # fmt: skip
        if not addresses:
            raise CommandError(f"no Binding of the group {asked.group} has an address")
        given += addresses
    found = units(lists, given or None)
    if not asked.source:
        return found
    if call.api.read("NodePlumbing", asked.source) is None:
        raise CommandError(f"there is no NodePlumbing of the node {asked.source}")
    return [u for u in found if u.owner == asked.source and (given or not u.follows)]


def _followed(call: Call, pending: list[Asked]) -> list[Released]:
    """Where they went, all of them within the one --timeout."""
    found: dict[str, Released] = {}

    def look() -> bool | None:
        for unit, first in pending:
            if unit.address not in found and (moved := _moved(call, unit, *first)):
                found[unit.address] = moved
        return len(found) == len(pending) or None

    if call.asked.wait:
        awaited(call, look)
        for unit, first in pending:
            if unit.address in found:
                tidy(call, *first)
    late = f"still there after {call.asked.timeout:g} s" if call.asked.wait else ""
    return [
        found.get(unit.address) or Released(unit.address, unit.owner, "", None, late)
        for unit, _ in pending
    ]


def _moved(call: Call, unit: Unit, kind: EntityKind, body: Body) -> Released | None:
    """Where it went; None while it is still there, or on its way."""
    meta = body["metadata"]
    status = status_of(call.api.read(kind, meta["name"], meta.get("namespace", "")) or {})
    owner = str(status.get("owner") or "")
    if status.get("state") != "Owned" or owner == unit.owner:
        return None
    gap = (status.get("lastMove") or {}).get("gapMilliseconds")
    return Released(unit.address, unit.owner, owner, gap, "")


def _print(call: Call, found: list[Released]) -> None:
    if call.output.is_json:
        call.output.json(
            [
                {
                    "address": one.address,
                    "from": one.before,
                    "to": one.after,
                    "gapMilliseconds": one.gap,
                    "problem": one.problem,
                }
                for one in found
            ]
        )
    elif found:
        asked = "" if call.asked.wait else "asked for"
        rows = [
            (one.address, one.before or "-", one.after or "-",
             "" if one.gap is None else f"{one.gap} ms", one.problem or asked)
            for one in found
        ]  # fmt: skip
        call.output.table(("ADDRESS", "FROM", "TO", "GAP", "MESSAGE"), rows)
    else:
        call.output.line("there is nothing to release")
