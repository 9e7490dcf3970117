"""`groups`: binding groups, and the nodes that no Binding of the group prefers."""

import argparse
from collections import defaultdict
from typing import Final, NamedTuple

from duravip_cli.command_line import Verb
from duravip_cli.context import Context
from duravip_cli.errors import CommandError, ExitCode
from duravip_cli.objects import Body, name_of, namespace_of, spec_of, status_of


class BindingGroup(NamedTuple):
    """A binding group of one namespace."""

    namespace: str
    group: str
    bindings: tuple[dict[str, str], ...]
    missing: tuple[str, ...]
    """The nodes that no binding of the group prefers."""


VERB: Final = Verb(
    summary="Show binding groups, and the nodes that no binding of the group prefers",
    details="For mail that leaves from every node, each group needs a preferred binding on each.",
    examples=(("groups", "all groups"), ("groups -n mail", "those of one namespace")),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `groups` takes."""
    parser.add_argument("what", nargs="*", metavar="GROUP", help="default: all")


def run(context: Context) -> ExitCode:
    """Print the groups."""
    given = set(context.arguments.what)
    nodes = [name_of(node) for node in context.api.list("Node")]
    shown = [
        group
        for group in binding_groups(context.api.list("Binding", context.namespace), nodes)
        if not given or group.group in given
    ]
    if context.output.is_json:
        context.output.json([group._asdict() for group in shown])
    elif shown:
        context.output.table(
            ("NAMESPACE", "GROUP", "BINDINGS", "PREFERRED BY NONE OF THEM"),
            [(g.namespace, g.group, _listed(g), ", ".join(g.missing) or "-") for g in shown],
        )
    elif not given:
        context.output.line("no Binding has a spec.group")
    if missing := sorted(given - {group.group for group in shown}):
        raise CommandError(f"no Binding is in the group {', '.join(missing)}")
    return ExitCode.OK


def binding_groups(bindings: tuple[Body, ...], nodes: list[str]) -> list[BindingGroup]:
    """Every group, by namespace and name."""
    members: dict[tuple[str, str], list[Body]] = defaultdict(list)
    for body in bindings:
        if name := spec_of(body).get("group"):
            members[namespace_of(body), str(name)].append(body)
    return [
        BindingGroup(namespace, name, tuple(map(_binding, bodies)), _missing(bodies, nodes))
        for (namespace, name), bodies in sorted(members.items())
    ]


def _missing(bodies: list[Body], nodes: list[str]) -> tuple[str, ...]:
    """The nodes that no Binding prefers; one that is not managed does not count."""
    preferred = {
        spec_of(body).get("preference")
        for body in bodies
        if spec_of(body).get("address") and spec_of(body).get("enableDuravip") is not False
    }
    return tuple(sorted(set(nodes) - preferred))


def _binding(body: Body) -> dict[str, str]:
    spec = spec_of(body)
    return {
        "name": name_of(body),
        "address": str(spec.get("address") or ""),
        "preference": str(spec.get("preference") or ""),
        "owner": str(status_of(body).get("owner") or ""),
    }


def _listed(group: BindingGroup) -> str:
    return ", ".join(
        f"{b['name']} ({b['preference']})" if b["preference"] else b["name"]
        for b in group.bindings
    )
