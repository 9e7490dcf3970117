"""`validate`: manifests, each by itself, together, and with --live beside what is there."""

import argparse
from typing import Final

from duravip_cli.command_line import Verb
from duravip_cli.context import Call
from duravip_cli.errors import Code
from duravip_cli.manifests.documents import read
from duravip_cli.manifests.files import texts
from duravip_cli.manifests.validation import problems

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


def run(call: Call) -> Code:
    """Print one line a problem."""
    reading = read(texts(call.asked.files), call.namespace or "default")
    cluster = call.everything() if call.asked.live else None
    found = [*reading.problems, *problems(reading.documents, cluster)]
    wrong = sum(not problem.is_warning for problem in found)
    if call.output.is_json:
        call.output.json([problem.as_json() for problem in found])
    else:
        for problem in found:
            call.output.line(problem.line)
        beside = f" ({reading.others} of other kinds not looked at)" if reading.others else ""
        right = len(reading.documents)
        call.output.line(
            f"{wrong} problems, {len(found) - wrong} warnings; {right} objects have the right "
            f"form{beside}{'' if cluster else ALONE}"
        )
    return Code.PROBLEM if wrong else Code.FINE
