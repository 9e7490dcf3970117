"""Asks `duravip-mail` on the nodes: each runs a verb of its own program, and answers by JSON."""

import argparse
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeVar

from duravip_cli.command_line import add_table_options
from duravip_cli.context import Context
from duravip_cli.errors import CommandError, ExitCode
from duravip_cli.listing import Listing, show
from duravip_cli.objects import SYSTEM_NAMESPACE, Body, metadata_of, name_of, spec_of
from duravip_cli.targets import parse_node

AT_ONCE: Final = 16
CONTAINER: Final = "sidecar"
COMPONENT: Final = "app.kubernetes.io/component"

Row = TypeVar("Row")


class _OfBinding(Protocol):
    @property
    def binding(self) -> str:
        """The name of the Binding whose mail the row is about."""


MailRow = TypeVar("MailRow", bound=_OfBinding)


@dataclass
class Answers:
    """What the nodes said, and why others did not."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    """By node."""


def add_mail_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare which nodes are asked."""
    parser.add_argument("--node", metavar="NODE", type=parse_node, help="default: all")
    parser.add_argument(
        "--system-namespace", default=SYSTEM_NAMESPACE, metavar="NS",
        help=f"where the chart's pods are (default: {SYSTEM_NAMESPACE})",
    )  # fmt: skip


def ask_mail(context: Context, *words: str) -> Answers:
    """Run `duravip-mail WORDS -o json` on every node that has it, or on that of `--node`."""
    answers = Answers()

    def keep(node: str, said: str) -> None:
        rows = json.loads(said)
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise ValueError("it is no list")
        answers.rows += [{**row, "node": node} for row in rows]

    answers.failures = run_on_nodes(context, (*words, "-o", "json"), keep)
    return answers


def run_on_nodes(
    context: Context, words: Sequence[str], keep: Callable[[str, str], None]
) -> dict[str, str]:
    """Run `duravip-mail WORDS` on the nodes; by node: why it has no answer.

    `keep` is called with a node and what was printed there, in the order of the nodes; a
    ValueError of it means that this is no answer.
    """
    pods = _pods(context)
    failures: dict[str, str] = {}

    def run(pod: Body) -> str | CommandError:
        command = ["duravip-mail", *words]
        namespace = context.arguments.system_namespace
        try:
            return context.api.run_in_pod(namespace, name_of(pod), CONTAINER, command)
        except CommandError as error:
            return error

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for (node, _), said in zip(pods, pool.map(run, [pod for _, pod in pods]), strict=True):
            if isinstance(said, CommandError):
                if said.code is ExitCode.USAGE:
                    raise said
                failures[node] = str(said)
                continue
            try:
                keep(node, said)
            except (ValueError, RecursionError) as error:
                failures[node] = f"what its duravip-mail says is no answer: {error}"
    return failures


def add_mail_listing(parser: argparse.ArgumentParser) -> None:
    """Declare the options of a list of what the nodes say of their Bindings' mail."""
    parser.add_argument("-b", "--binding", metavar="BINDING", help="default: all")
    add_mail_arguments(parser)
    add_table_options(parser)


def show_mail(
    context: Context,
    listing: Listing[MailRow],
    read: Callable[[Answers], list[MailRow]],
    words: Sequence[str],
    nothing: str,
) -> ExitCode:
    """Print as a list what `read` makes of the answers to `duravip-mail WORDS`.

    `nothing` is said where there is no mail on any node, and every node has said so.
    """
    failures: dict[str, str] = {}

    def read_all() -> list[MailRow]:
        answers = ask_mail(context, *words)
        rows = read(answers)
        failures.clear()
        failures.update(answers.failures)
        wanted = context.arguments.binding
        return [row for row in rows if wanted in {None, row.binding}]

    rows = show(context, listing, read_all)
    raise_if_silent(failures)
    if not rows and context.output.form in {"table", "wide"}:
        context.output.line(nothing)
    return ExitCode.OK


def read_rows(answers: Answers, read: Callable[[dict[str, Any]], Row]) -> list[Row]:
    """The rows that make sense; a node whose rows do not has no answer."""
    found = []
    for row in answers.rows:
        try:
            found.append(read(row))
        except (KeyError, TypeError, ValueError, OverflowError):
            answers.failures[row["node"]] = "what its duravip-mail says is no answer"
    return found


def raise_if_silent(failures: dict[str, str]) -> None:
    """CommandError that names the nodes without an answer, if there are any."""
    if not failures:
        return
    if len(reasons := set(failures.values())) == 1:
        raise CommandError(f"{', '.join(sorted(failures))}: {reasons.pop()}")
    raise CommandError("; ".join(f"{node}: {why}" for node, why in sorted(failures.items())))


def _pods(context: Context) -> list[tuple[str, Body]]:
    """The pods of mail that run, by the names of their nodes."""
    namespace, wanted = context.arguments.system_namespace, context.arguments.node
    found = {
        str(spec_of(pod).get("nodeName")): pod
        for pod in context.api.pods(namespace)
        if (metadata_of(pod).get("labels") or {}).get(COMPONENT) == "mail"
        and not metadata_of(pod).get("deletionTimestamp")
        and (pod.get("status") or {}).get("phase") == "Running"
    }
    if not found:
        raise CommandError(f"no pod of duravip-mail runs in {namespace}: set `mail.enabled`")
    if wanted and wanted not in found:
        raise CommandError(f"no pod of duravip-mail runs on {wanted}")
    return sorted((n, pod) for n, pod in found.items() if wanted in {None, n})
