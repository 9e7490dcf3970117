"""`validate`: manifests, each by itself, together, and with --live beside what is there."""

from duravip_cli.context import Call
from duravip_cli.errors import Code
from duravip_cli.manifests.documents import read
from duravip_cli.manifests.files import texts
from duravip_cli.manifests.validation import problems

ALONE = "; judged by these files alone: --live looks at the cluster as well"


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
