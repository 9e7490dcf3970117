"""`drain`: takes a node out, and waits until it holds nothing."""

import time

from duravip_api import EXCLUDE_LABEL
from duravip_cli.api import Api
from duravip_cli.call import Call
from duravip_cli.core.machines import Machine, exclusion, machines
from duravip_cli.errors import Code, CommandError

VALUE = "duravip"
"""What the label says when it was set here."""
LOOK_EVERY = 0.25


def run(call: Call) -> Code:
    """Set the label; with --wait, tell how many addresses are left until none is."""
    name = call.asked.node
    value = excluded(call.api, name)
    if value is None:
        call.api.label_node(name, EXCLUDE_LABEL, VALUE)
        _say(call, f"{name} is taken out: it gets no address, and those it has move away")
    else:
        _say(call, f"{name} is taken out already ({EXCLUDE_LABEL}={value})")
    left = _wait(call, name) if call.asked.wait else _machine(call.api, name)
    if call.output.is_json:
        said = {"node": name, "granted": left.granted, "served": left.served}
        call.output.json({**said, "label": {EXCLUDE_LABEL: value or VALUE}})
    return Code.FINE


def excluded(api: Api, name: str) -> str | None:
    """The value of the label that takes this Node out; None when it is not there."""
    node = api.read("Node", name)
    if node is None:
        raise CommandError(f"there is no node {name}")
    return exclusion(node)


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


def _say(call: Call, text: str) -> None:
    if not call.output.is_json:
        call.output.line(text)
