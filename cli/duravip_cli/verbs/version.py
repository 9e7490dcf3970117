"""`version`: of this program, of the operator, of each node's agent, and of the API server."""

import argparse
from collections import defaultdict
from typing import Final

from duravip_cli.command_line import Verb
from duravip_cli.context import Context
from duravip_cli.errors import ExitCode
from duravip_cli.objects import Body, annotations_of
from duravip_cli.rows import node_rows
from duravip_operator.core.lease_annotations import published_version
from duravip_runtime.settings import PROGRAM_VERSION
from duravip_runtime.text import summarize

UNKNOWN: Final = "unknown"
MAX_NODES: Final = 8

VERB: Final = Verb(
    summary="Print the versions of this program, the operator, the agents and the API server",
    examples=(("version", "all of them"), ("version --client", "without asking a cluster")),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `version` takes."""
    parser.add_argument("--client", action="store_true", help="of this program only")


def run(context: Context) -> ExitCode:
    """Print the versions; what the cluster does not tell is unknown."""
    out = context.output
    if context.arguments.client:
        if out.is_json:
            out.json({"client": PROGRAM_VERSION})
        else:
            out.line(f"client      {PROGRAM_VERSION}")
        return ExitCode.OK
    if not out.is_json:  # also where the cluster cannot be asked
        out.line(f"client      {PROGRAM_VERSION}")
    server = context.api.version()
    operator = _operator(context.api.leader_lease())
    agents = defaultdict[str, list[str]](list)
    for row in node_rows((), context.api.list("NodePlumbing")):
        agents[row.version or UNKNOWN].append(row.name)
    if out.is_json:
        out.json(
            {"client": PROGRAM_VERSION, "operator": operator, "agents": agents, "server": server}
        )
        return ExitCode.OK
    out.line(f"operator    {operator}")
    for version, nodes in sorted(agents.items()):
        out.line(f"agent       {version} on {summarize(nodes, MAX_NODES)}")
    out.line(f"API server  {server}")
    return ExitCode.OK


def _operator(lease: Body | None) -> str:
    return published_version(annotations_of(lease)) or UNKNOWN if lease else UNKNOWN
