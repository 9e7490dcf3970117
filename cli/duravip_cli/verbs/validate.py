"""`validate`: checks manifests one by one, together, and with --live against the cluster."""

import argparse
from dataclasses import replace
from typing import Final

from duravip_cli.command_line import Verb
from duravip_cli.context import Context
from duravip_cli.errors import ExitCode
from duravip_cli.manifests.documents import parse_manifests
from duravip_cli.manifests.files import read_files
from duravip_cli.manifests.validation import find_problems

ALONE = "; judged by these files alone: --live looks at the cluster as well"

VERB: Final = Verb(
    summary="Check manifests before they are applied",
    details=(
        "Each file is judged as the operator's admission would judge it, beside those before it; "
        "then all of them together. Without --live no cluster is needed, and none is looked at. "
        "One line a problem; a warning does not count. Ends with 1 when there is a problem."
    ),
    examples=(
        ("validate vips/", "every manifest of a folder"),
        ("validate --live new.yaml", "also against the cluster"),
    ),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `validate` takes."""
    parser.add_argument("files", nargs="+", metavar="FILE", help="YAML or JSON, folders, or -")
    parser.add_argument("--live", action="store_true", help="also against what is in the cluster")


def run(context: Context) -> ExitCode:
    """Print one line a problem."""
    parsed = parse_manifests(read_files(context.arguments.files), context.namespace or "default")
    bodies = [document.body for document in parsed.documents]
    cluster = context.read_all(bodies) if context.arguments.live else None
    if cluster and any(document.kind == "AddressPool" for document in parsed.documents):
        cluster = replace(cluster, pools=context.api.list("AddressPool"))
    problems = [*parsed.problems, *find_problems(parsed.documents, cluster)]
    wrong = sum(not problem.is_warning for problem in problems)
    if context.output.is_json:
        context.output.json([problem.as_json() for problem in problems])
    else:
        for problem in problems:
            context.output.line(problem.line)
        beside = f" ({parsed.others} of other kinds not looked at)" if parsed.others else ""
        right = len(parsed.documents)
        context.output.line(
            f"{wrong} problems, {len(problems) - wrong} warnings; {right} objects have the right "
            f"form{beside}{'' if cluster else ALONE}"
        )
    return ExitCode.PROBLEM if wrong else ExitCode.OK
