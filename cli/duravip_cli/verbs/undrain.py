"""`undrain`: puts a drained node back."""

from duravip_api import EXCLUDE_LABEL
from duravip_cli.context import Call
from duravip_cli.errors import Code, CommandError
from duravip_cli.verbs.drain import VALUE, excluded


def run(call: Call) -> Code:
    """Remove the label, unless somebody else has set it."""
    name = call.asked.node
    value = excluded(call.api, name)
    if value not in {None, VALUE} and not call.asked.force:
        raise CommandError(
            f"{name} was not taken out by `drain`: its label {EXCLUDE_LABEL} says {value!r}; "
            "remove it with --force"
        )
    if value is not None:
        call.api.label_node(name, EXCLUDE_LABEL, None)
    if call.output.is_json:
        call.output.json({"node": name, "changed": value is not None})
    elif value is None:
        call.output.line(f"{name} was not taken out")
    else:
        call.output.line(f"{name} is back: the addresses that prefer it return")
    return Code.FINE
