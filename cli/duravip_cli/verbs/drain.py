"""`drain`: takes a node out, waits until it holds nothing, and says what nobody holds then."""

import argparse
import time
from collections.abc import Iterable
from typing import Final, NamedTuple

from duravip_api import DRAINED, EXCLUDE_LABEL
from duravip_cli.command_line import Verb, add_wait
from duravip_cli.context import Api, Call, everything
from duravip_cli.errors import Code, CommandError
from duravip_cli.explain.forecast import drained, forecast
from duravip_cli.verbs.move import tidy
from duravip_cli.verbs.why import settled
from duravip_cli.views.addresses import members, units
from duravip_cli.views.nodes import Machine, exclusion, machines
from duravip_cli.views.objects import Lists

VALUE = DRAINED
"""What the label says when it was set here."""
LOOK_EVERY = 0.25
MOST_NAMED = 10
"""So many addresses are named with their reasons."""


class Lost(NamedTuple):
    """An address that nobody else may hold."""

    address: str
    reason: str
    message: str


VERB: Final = Verb(
    summary="Take a node out: its addresses move away, and it gets none",
    details=(
        "Sets the label node.kubernetes.io/exclude-from-external-load-balancers on the Node, "
        "which other load balancers heed as well. Names the addresses that no other node may "
        "hold, before and after, and ends with 1 when there are any."
    ),
    examples=(
        ("drain n1", "and wait until it holds nothing"),
        ("drain n1 --no-wait", "only set the label"),
    ),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `drain` takes."""
    parser.add_argument("node", metavar="NODE")
    add_wait(parser, "show progress until the node is granted and serves nothing", 60)


def run(call: Call) -> Code:
    """Set the label; with --wait, tell how many addresses are left until none is."""
    name = call.asked.node
    value = excluded(call.api, name)
    held, lost = _foreseen(call, name)
    _name(call, lost, "nobody else may hold {}, which will have no owner:")
    if value is None:
        call.api.label_node(name, EXCLUDE_LABEL, VALUE)
        _say(call, f"{name} is taken out: it gets no address, and those it has move away")
    else:
        _say(call, f"{name} is taken out already ({EXCLUDE_LABEL}={value})")
    left = _wait(call, name) if call.asked.wait else _machine(call.api, name)
    if call.asked.wait:
        lost = _unowned(call, held) if held else []
        _name(call, lost, "nobody holds {} now:")
    if call.output.is_json:
        said = {"node": name, "granted": left.granted, "served": left.served}
        named = [address._asdict() for address in lost]
        call.output.json({**said, "label": {EXCLUDE_LABEL: value or VALUE}, "lost": named})
    return Code.PROBLEM if lost else Code.FINE


def excluded(api: Api, name: str) -> str | None:
    """The value of the label that takes this Node out; None when it is not there."""
    node = api.read("Node", name)
    if node is None:
        raise CommandError(f"there is no node {name}")
    return exclusion(node)


def _foreseen(call: Call, name: str) -> tuple[frozenset[str], list[Lost]]:
    """The addresses that the node has, and those of them that nobody else may hold."""
    try:
        before = settled(call, call.everything()).snapshot
    except CommandError as error:
        _say(call, f"cannot tell beforehand which addresses will have no owner: {error}")
        return frozenset(), []
    plumbing = before.plumbings.get(name)
    if plumbing is None or name not in before.nodes:
        return frozenset(), []
    found = forecast(before, drained(before, [name])).changes
    lost = [
        Lost(one.address, one.reason, one.message)
        for one in found
        if one.before == name and not one.after and one.message
    ]
    return plumbing.granted, lost


def _unowned(call: Call, held: frozenset[str]) -> list[Lost]:
    """Those of these that have no owner once all that moves has arrived."""
    until = time.monotonic() + call.asked.timeout
    while True:
        lists = everything(call.api)
        found = [unit for unit in units(lists) if unit.address in held]
        is_moving = any(unit.state in {"", "Moving"} for unit in found)
        if not is_moving or time.monotonic() >= until:
            break
        call.sleep(LOOK_EVERY)
    _tidy(call, lists, held)
    return [
        Lost(unit.address, unit.reason, unit.message)
        for unit in found
        if unit.state in {"Moving", "Unassigned"}
    ]


def _tidy(call: Call, lists: Lists, held: frozenset[str]) -> None:
    """Remove what had asked for these to be on the node: that has come to its end."""
    for unit in units(lists):
        if unit.address in held:
            for kind, body in members(lists, unit):
                if (body.get("metadata") or {}).get("annotations"):
                    tidy(call, kind, body)


def _machine(api: Api, name: str) -> Machine:
    plumbing = api.read("NodePlumbing", name)
    return machines(({"metadata": {"name": name}},), (plumbing,) if plumbing else ())[0]


def _wait(call: Call, name: str) -> Machine:
    until = time.monotonic() + call.asked.timeout
    last = None
    while True:
        found = _machine(call.api, name)
        # What an agent that has ended last said that it serves, it serves no more.
        served = 0 if found.reason == "AgentStopped" else found.served
        left = (found.granted, served)
        if left == (0, 0):
            _say(call, f"{name} holds no address any more")
            return found
        if left != last:
            _say(call, f"{found.granted} addresses are granted to {name}, it serves {served}")
        last = left
        if time.monotonic() >= until:
            raise CommandError(
                f"{name} is taken out, but after {call.asked.timeout:g} s it is still granted "
                f"{found.granted} addresses and serves {served}: see `kubectl duravip doctor`"
            )
        call.sleep(LOOK_EVERY)


def _name(call: Call, lost: Iterable[Lost], headline: str) -> None:
    """Name the addresses that nobody holds, each with the reason."""
    named = list(lost)
    if not named:
        return
    count = "1 address" if len(named) == 1 else f"{len(named)} addresses"
    _say(call, headline.format(count))
    for address, reason, message in named[:MOST_NAMED]:
        _say(call, f"  {address}: {reason}: {message}")
    if len(named) > MOST_NAMED:
        _say(call, f"  and {len(named) - MOST_NAMED} more")


def _say(call: Call, text: str) -> None:
    if not call.output.is_json:
        call.output.line(text)
