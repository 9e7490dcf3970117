"""The pictures of the live page in docs/: `PYTHONPATH=tests python -m page.pictures docs`."""

import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from duravip_api.listeners import parse_listeners
from duravip_api.nodeplumbing import Nic
from duravip_operator.core.snapshot import Placement, ReadinessKey, VipObject
from duravip_operator.page import LivePage
from page.chromium import PHONE, browser
from unit.operator.clusters import LAN
from unit.operator.page_world import PageWorld

NAMES: Final = ("smtp", "web", "dns", "voip", "edge")
TEAMS: Final = ("mail", "shop", "infra")
REASONS: Final = ("NodeLost", "Balance", "Drain")
OWNERS: Final = ("n1", "n2", "n3")
NICS: Final = {
    "eth0": Nic(name="eth0", index=1, up=True, carrier=True, speed_mbps=1000),
    "eth1": Nic(name="eth1", index=2, up=True, carrier=True, speed_mbps=10_000),
}
SIZE: Final = (1360, 680)
HAS_AGES: Final = "return document.querySelector('.age')?.textContent"


def main() -> None:
    """Write them into the folder that the command line names."""
    folder = Path(sys.argv[1])
    page = LivePage("127.0.0.1:0", _world())
    page.start()
    with TemporaryDirectory() as profile, browser(Path(profile)) as window:
        for name, size, scheme in (("page.png", SIZE, "light"), ("page-phone.png", PHONE, "dark")):
            window.look(size, scheme)
            window.open(f"http://127.0.0.1:{page.port}/")
            window.wait_for(HAS_AGES)
            window.screenshot(folder / name)
    page.stop()


def _world() -> PageWorld:
    """Three nodes, of which one has just died, and what may be seen of addresses."""
    world = PageWorld(0)
    world.operator |= {"version": "0.1.0", "leader": "duravip-operator-x2x", "replicas": 2}
    world.operator["replica"] = world.operator["leader"]
    vips = [_vip(number) for number in range(1, 25)]
    world.put(*vips)
    for place, name in enumerate(OWNERS):
        has = frozenset(vip.address for vip in vips if vip.status["owner"] == name)
        world.plumbings[name] = replace(
            world.plumbings[name],
            grants={Placement("eth1", 32): has},
            served=has,
            nics=NICS,
            generation=14 + place,
            observed_generation=14 + place,
            listening=parse_listeners(["TCP/25 0.0.0.0"] if place else ["TCP/25"]),
        )
    world.topologies = (replace(LAN, status={"addresses": len(vips)}),)
    world.silence("n2")
    return world


def _vip(number: int) -> VipObject:
    owner = OWNERS[number % 2 * 2]
    ready = {"type": "Ready", "status": "True", "reason": "Served", "message": "served"}
    time = f"2026-11-30T{8 + number // 3:02}:{number * 7 % 60:02}:07.123456Z"
    move: dict[str, Any] = {"to": owner, "reason": REASONS[number % 3], "time": time}
    move |= {"from": "n2", "gapMilliseconds": 20 + number * 37 % 200}
    status = {"state": "Owned", "owner": owner, "interface": "eth1", "conditions": [ready]}
    return VipObject(
        "DuraVIP",
        TEAMS[number % 3],
        f"{NAMES[number % 5]}-{number}",
        f"u{number}",
        "",
        address=f"10.1.1.{number}",
        preference="n2" if number % 6 == 2 else "n1" if number % 6 == 4 else "",
        follow="10.1.1.1" if number % 9 == 3 else "",
        services=frozenset({("TCP/25", "smtp")} if number % 5 == 0 else ()),
        readiness=frozenset({ReadinessKey("endpointsOf", "shop/web")} if number == 7 else ()),
        status=status | {"lastMove": move} | _fault(number),
    )


def _fault(number: int) -> dict[str, Any]:
    """What is wrong with a few of them."""
    if number == 5:
        why = "no node may hold it: n2 is silent, its nodeSelector matches no other one"
        ready = {"type": "Ready", "status": "False", "reason": "NoNode", "message": why}
        return {"state": "Unassigned", "owner": "", "conditions": [ready]}
    if number == 11:
        why = "smtp (TCP/25) has a listener on n3, none on n1"
        unsafe = {"type": "Unsafe", "status": "True", "reason": "ListenersDiffer", "message": why}
        return {"flags": "Unsafe", "conditions": [unsafe]}
    return {}


if __name__ == "__main__":
    main()
