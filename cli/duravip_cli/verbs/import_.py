"""`import`: prints our manifests for what another program is configured with."""

import argparse
import sys
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from duravip_api.addresses import Range
from duravip_cli.address_ranges import read_range
from duravip_cli.command_line import Verb
from duravip_cli.context import Context
from duravip_cli.errors import CommandError, ExitCode
from duravip_cli.manifests.documents import Problem, parse_objects
from duravip_cli.manifests.files import read_files
from duravip_cli.manifests.yaml_writer import format_documents
from duravip_cli.migration.conversion import Drafts, Surroundings, convert, node_blocks, of_kind
from duravip_cli.migration.foreign_services import service_notes
from duravip_cli.migration.kube_vip import SYSTEM, read_kube_vip
from duravip_cli.migration.metallb import read_metallb
from duravip_cli.migration.purelb import read_purelb
from duravip_cli.objects import Body
from duravip_cli.output import Output

VERB: Final = Verb(
    summary="Print manifests for what MetalLB, kube-vip or PureLB is configured with",
    details=(
        "The manifests go to standard output; what has no counterpart here, and what is a guess, "
        "to standard error. Nothing is written into the cluster."
    ),
    examples=(
        ("import metallb --live >ours.yaml", "what is in the cluster"),
        ("import kube-vip kubevip.yaml --subnet 192.168.0.0/24", "files, and the network"),
        ("import purelb config/ | kubectl duravip validate -", "and check what comes out"),
    ),
    forms=("json", "yaml"),
    default_form="YAML",
)


class Program(NamedTuple):
    """A program that can be imported from."""

    read: Callable[[Iterable[Body]], Drafts]
    objects: tuple[tuple[str, str], ...]
    """`(path of the API, kind)` of its configuration."""


PROGRAMS: Final = {
    "metallb": Program(
        read_metallb,
        (
            ("/apis/metallb.io/v1beta1/ipaddresspools", "IPAddressPool"),
            ("/apis/metallb.io/v1beta1/l2advertisements", "L2Advertisement"),
            ("/apis/metallb.io/v1beta1/bgpadvertisements", "BGPAdvertisement"),
            ("/apis/metallb.io/v1beta2/bgppeers", "BGPPeer"),
            ("/api/v1/namespaces", "Namespace"),
        ),
    ),
    "kube-vip": Program(
        read_kube_vip,
        (
            (f"/api/v1/namespaces/{SYSTEM}/configmaps", "ConfigMap"),
            (f"/apis/apps/v1/namespaces/{SYSTEM}/daemonsets", "DaemonSet"),
            (f"/api/v1/namespaces/{SYSTEM}/pods", "Pod"),
        ),
    ),
    "purelb": Program(
        read_purelb,
        (
            ("/apis/purelb.io/v2/servicegroups", "ServiceGroup"),
            ("/apis/purelb.io/v1/servicegroups", "ServiceGroup"),
            ("/apis/purelb.io/v2/lbnodeagents", "LBNodeAgent"),
            ("/apis/purelb.io/v1/lbnodeagents", "LBNodeAgent"),
        ),
    ),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `import` takes."""
    parser.add_argument("program", choices=PROGRAMS, help="whose configuration")
    parser.add_argument("files", nargs="*", metavar="FILE", help="YAML or JSON, folders, or -")
    parser.add_argument("--live", action="store_true", help="what is in the cluster instead")
    parser.add_argument(
        "--subnet", action="append", default=[], metavar="CIDR",
        help="a network in which addresses lie; with --live those of the nodes are known, once "
        "DuraVIP's agents run",
    )  # fmt: skip


def run(context: Context) -> ExitCode:
    """Print the manifests."""
    arguments = context.arguments
    if bool(arguments.files) == arguments.live:
        raise CommandError("give either FILEs or --live", ExitCode.USAGE)
    program = PROGRAMS[arguments.program]
    bodies = _live(context, program) if arguments.live else _in_files(arguments.files)
    conversion = convert(program.read(bodies), _surroundings(context))
    services = of_kind(bodies, "v1", "Service")
    notes = Output("table", sys.stderr)
    for note in (*conversion.notes, *service_notes(arguments.program, services)):
        notes.line(f"note: {note}")
    if not conversion.documents:
        raise CommandError(f"there is nothing of {arguments.program} that can be carried over")
    if context.output.is_json:
        listed = {"apiVersion": "v1", "kind": "List", "items": conversion.documents}
        context.output.json(listed)
    else:
        context.output.block(format_documents(conversion.documents))
    return ExitCode.OK


def _in_files(files: list[str]) -> tuple[Body, ...]:
    problems: list[Problem] = []
    bodies = tuple(body for _, body in parse_objects(read_files(files), problems))
    if problems:
        raise CommandError(problems[0].line)
    return bodies


def _live(context: Context, program: Program) -> tuple[Body, ...]:
    paths = (*program.objects, ("/api/v1/services", "Service"))
    found: dict[tuple[str, str, str], Body] = {}
    for path, kind in paths:
        for body in context.api.others(path, kind):
            metadata = body["metadata"]
            # One object is served in every version of its kind: the newest is read.
            found.setdefault((kind, metadata.get("namespace", ""), metadata["name"]), body)
    return tuple(found.values())


def _surroundings(context: Context) -> Surroundings:
    blocks: tuple[Range, ...] = tuple(map(_subnet, context.arguments.subnet))
    if not context.arguments.live:
        return Surroundings(blocks)
    try:
        known = node_blocks(context.api.list("NodePlumbing"))
        return Surroundings((*blocks, *known), context.api.list("Topology"))
    except CommandError:  # DuraVIP is not installed yet, or its kinds may not be read
        return Surroundings(blocks)


def _subnet(given: str) -> Range:
    try:
        return read_range(given)
    except ValueError as error:
        raise CommandError(f"--subnet {given}: no network block", ExitCode.USAGE) from error
