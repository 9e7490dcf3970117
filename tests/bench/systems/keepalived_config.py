"""The configuration of keepalived on one node. Pure.

One VRRP instance for each node's share of the addresses, with that node as its first choice.
Preemption is on, as by default: it brings the addresses home after each run. Nobody comes back
while a run is measured, but an agent that was frozen.
"""

from bench.spread import NODES, at_home

MOST_IN_ADVERT = 20
"""More addresses would not fit into an advertisement: the rest is not named in it."""
PRIORITIES = (250, 230, 200)
"""High: the waiting time has a part that shrinks with the priority. Not closer together: two that
wait equally long would take the addresses at once."""

HEAD = """\
global_defs {
    router_id %s
    vrrp_version 3
    vrrp_garp_master_delay 1
    vrrp_garp_master_repeat 1
    vrrp_garp_master_refresh 0
}
"""


def config(node: str, count: int, advert: float) -> str:
    """Everything that this node is told, of so many addresses in all."""
    parts = [HEAD % node]
    for number, home in enumerate(NODES):
        addresses = at_home(home, count)
        if addresses:
            parts.append(_instance(number, _priority(node, home), addresses, advert))
    return "".join(parts)


def _priority(node: str, home: str) -> int:
    return PRIORITIES[(NODES.index(node) - NODES.index(home)) % len(NODES)]


def _instance(number: int, priority: int, addresses: list[str], advert: float) -> str:
    named = "".join(f"        {a}/32\n" for a in addresses[:MOST_IN_ADVERT])
    rest = "".join(f"        {a}/32\n" for a in addresses[MOST_IN_ADVERT:])
    excluded = f"    virtual_ipaddress_excluded {{\n{rest}    }}\n" if rest else ""
    return (
        f"vrrp_instance share{number} {{\n"
        f"    state BACKUP\n    interface eth1\n    virtual_router_id {number + 1}\n"
        f"    priority {priority}\n    advert_int {advert:g}\n"
        f"    virtual_ipaddress {{\n{named}    }}\n{excluded}}}\n"
    )
