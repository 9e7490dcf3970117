"""`neighbours`: whom the kernels of the nodes know on their segments."""

from duravip_api.annotations import LIST_NEIGHBOURS
from duravip_cli.agents import ask, complain, plumbings
from duravip_cli.call import Call
from duravip_cli.core.neighbourhood import rows
from duravip_cli.errors import Code

HEADS = ("NODE", "INTERFACE", "ADDRESS", "MAC", "STATE", "OURS")


def run(call: Call) -> Code:
    """Ask the agents, and print what they answer."""
    everybody = plumbings(call, [])
    asked = plumbings(call, call.asked.what) if call.asked.what else everybody
    answers = ask(call, LIST_NEIGHBOURS, "neighbours", {n: (b, "") for n, b in asked.items()})
    found = rows([a for a in answers.values() if a is not None], everybody.values())
    if call.output.is_json:
        call.output.json([row._asdict() for row in found])
    elif found:
        call.output.table(HEADS, [(*row[:5], row.ours or "-") for row in found])
    else:
        call.output.line("no node knows any neighbour")
    complain(call, answers)
    return Code.FINE
