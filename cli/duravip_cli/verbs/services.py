"""`services`: the Services of type LoadBalancer that are ours, and what is wrong with them."""

import argparse
from typing import Final

from duravip_cli.command_line import Verb, add_listing
from duravip_cli.context import Context
from duravip_cli.errors import CommandError, ExitCode
from duravip_cli.listing import FORMS, Listing, show
from duravip_cli.output import Output
from duravip_cli.service_rows import ServiceRow, selected, service_rows

VERB: Final = Verb(
    summary="Show Services of type LoadBalancer: addresses, owner, state, and what is wrong",
    details=(
        "Those that the operator serves. One that is named is shown even if it does not, with "
        "the reason. Ends with 1 when something is wrong."
    ),
    examples=(
        ("services", "all of them"),
        ("services web -n shop -o wide", "one, with its class, ports and DuraVIPs"),
        ("services -l app=web -w", "those with a label, and again whenever one changes"),
    ),
    forms=FORMS,
)


def _cells(row: ServiceRow, output: Output) -> tuple[object, ...]:
    return (
        row.namespace,
        row.name,
        ",".join(row.addresses) or "-",
        ",".join(row.owners) or "-",
        row.state,
        ",".join(row.pools) or "-",
        "; ".join(row.problems) or "-",
        row.load_balancer_class or "-",
        row.policy,
        ",".join(row.ports),
        ",".join(row.duravips),
        output.ago(row.created),
    )


SERVICES: Final = Listing[ServiceRow](
    heads=("NAMESPACE", "NAME", "ADDRESSES", "OWNER", "STATE", "POOL", "PROBLEM"),
    wide=("CLASS", "POLICY", "PORTS", "DURAVIPS", "AGE"),
    cells=_cells,
    plain=ServiceRow.as_json,
    names=lambda row: [f"service/{row.name}"],
    key=lambda row: (row.namespace, row.name),
    deleted=lambda row: row._replace(state="Deleted"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `services` takes."""
    parser.add_argument("what", nargs="*", metavar="NAME", help="default: all that are ours")
    add_listing(parser)


def run(context: Context) -> ExitCode:
    """Print the Services."""
    given = context.arguments.what
    nothing = "" if given else "no Service of type LoadBalancer is served by DuraVIP"
    rows = show(context, SERVICES, lambda: _read(context), nothing)
    if missing := [name for name in given if not selected(rows, [name])]:
        raise CommandError(f"there is no Service of type LoadBalancer {', '.join(missing)}")
    return ExitCode.PROBLEM if any(row.problems for row in rows) else ExitCode.OK


def _read(context: Context) -> list[ServiceRow]:
    arguments = context.arguments
    namespace = "" if arguments.all_namespaces else context.namespace
    services = context.api.services(namespace, arguments.selector)
    duravips = context.api.list("DuraVIP", namespace)
    return selected(service_rows(services, duravips, others=bool(arguments.what)), arguments.what)
