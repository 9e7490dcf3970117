"""The live page of real operators: a node crashes, a leader ends, an operator stands still."""

import time
from collections.abc import Iterator
from http import HTTPStatus
from http.client import HTTPException
from urllib.request import urlopen

import pytest

from api.objects import apply, duravip, topology
from lab.cluster import Lab
from lab.fleet import Fleet, wait_until
from page.chromium import WIDE, Browser
from page.port_forward import PortForward

PAGE = 9482
VICTIM = "n3"
ADDRESSES = [f"10.1.1.{n}" for n in range(1, 10)]
IS_GONE = "return !document.getElementById('gone').hidden"
IS_TOLD = "return document.getElementById('gone').hidden"
SAYS = "return document.getElementById('verdict').textContent === arguments[0]"
IS_READ = "return document.getElementById('verdict').dataset.level !== 'none'"
HAS_AGES = """
return [...document.querySelectorAll('.card .age')].every(
  (age) => age.textContent.endsWith(' s'));
"""
HAS_WITNESSES = """
return document.getElementById('blocks').innerText.includes('every node has a witness');
"""
OWNERS = """
return Object.fromEntries([...document.querySelectorAll('#canvas .row')].map(
  (row) => [row.querySelector('.address').textContent, row.dataset.owner]));
"""
MOVES = "return [...document.querySelectorAll('#tape li')].map((item) => item.dataset.key)"
NOTE_TIMES = """
window.times = {};
const note = (what) => { window.times[what] ??= Date.now(); };
new MutationObserver(() => {
  if (document.querySelector(`.card[data-node=${arguments[0]}]`).dataset.state === 'silent')
    note('silent');
  if (!document.querySelector(`#canvas [data-owner=${arguments[0]}]`)) note('moved');
}).observe(document.body, {subtree: true, childList: true, attributes: true});
"""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab("api") as lab:
        lab.apply_crds()
        yield lab


def start_operator(fleet: Fleet, machine: str) -> None:
    fleet.start_operator(machine, f"--page-listen=127.0.0.1:{PAGE}")


@pytest.fixture(scope="module")
def fleet(lab: Lab) -> Fleet:
    """Two operators with a page each, three agents, and nine addresses that all are owned."""
    fleet = Fleet(lab)
    for machine in ("n1", "n2"):
        start_operator(fleet, machine)
    for node in lab.nodes:
        fleet.start_agent(node.name)
    preferred = duravip("v0", ADDRESSES[0], preference=VICTIM)
    vips = [duravip(f"v{n}", address) for n, address in enumerate(ADDRESSES)]
    apply(lab, [topology(), preferred, *vips[1:]])

    def are_owned() -> bool:
        owners = fleet.owners()
        return owners.get(ADDRESSES[0]) == VICTIM and all(map(owners.get, ADDRESSES))

    wait_until(are_owned, "every address has an owner, the first one that which it prefers")
    return fleet


@pytest.fixture(scope="module")
def ports(lab: Lab, fleet: Fleet) -> Iterator[dict[str, int]]:
    """Where the page of each operator is found here."""
    forwards = {
        machine: PortForward(lab.layout.namespace_file(machine), PAGE)
        for machine in fleet.operators
    }
    yield {machine: forward.port for machine, forward in forwards.items()}
    for forward in forwards.values():
        forward.close()


def answers(port: int) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
            return bool(answer.status == HTTPStatus.OK)
    except (OSError, HTTPException):
        return False


def show(window: Browser, port: int) -> None:
    wait_until(lambda: answers(port), "the page is there")
    window.look(WIDE)
    window.open(f"http://127.0.0.1:{port}/")
    window.complaints()  # of the page before this one
    window.wait_for(IS_READ)


def other(fleet: Fleet) -> str:
    """The operator that does not lead."""
    (found,) = fleet.operators.keys() - {fleet.leader()}
    return found


def test_each_replica_shows_what_the_objects_say(
    window: Browser, fleet: Fleet, ports: dict[str, int]
) -> None:
    for machine in fleet.operators:
        show(window, ports[machine])
        wait_until(lambda: window.run(OWNERS) == fleet.owners(), f"{machine} shows the owners")
        window.wait_for(SAYS, "All 9 addresses served")
        text = window.run("return document.getElementById('facts').innerText")
        assert fleet.leader() in text
        assert ("this replica" in text) == (machine == fleet.leader())
        window.wait_for(HAS_AGES)
        window.wait_for(HAS_WITNESSES)
        assert window.complaints() == []


def test_a_crashed_node_is_shown_at_once(
    window: Browser, lab: Lab, fleet: Fleet, ports: dict[str, int]
) -> None:
    show(window, ports[other(fleet)])
    window.wait_for(f"return document.querySelector('#canvas [data-owner={VICTIM}]') !== null")
    window.run(NOTE_TIMES, VICTIM)
    crashed = time.time()
    lab.machines[VICTIM].crash()
    times = window.wait_for("return window.times.silent && window.times.moved && window.times")
    after = {what: round(when - 1000 * crashed) for what, when in times.items()}
    print(f"the page said after {after['silent']} ms that {VICTIM} is silent,")
    print(f"and after {after['moved']} ms that others own what it had")
    window.wait_for(SAYS, f"{VICTIM} is silent")
    window.wait_for("return document.getElementById('tape').innerText.includes('NodeLost')")
    assert window.complaints() == []


def test_the_next_leader_has_the_tape(
    window: Browser, fleet: Fleet, ports: dict[str, int]
) -> None:
    leader, next_one = fleet.leader(), other(fleet)
    show(window, ports[leader])
    moves = set(window.wait_for(MOVES))
    fleet.operators[leader].kill()
    window.wait_for(IS_GONE)
    assert "No operator answers" in window.run("return document.getElementById('gone').innerText")
    wait_until(lambda: fleet.leader() == next_one, "the other one leads")
    show(window, ports[next_one])
    wait_until(lambda: moves <= set(window.run(MOVES)), "it shows the same moves")
    start_operator(fleet, leader)
    show(window, ports[leader])


def test_an_operator_that_stands_still_is_said_to_be_gone_until_it_goes_on(
    window: Browser, fleet: Fleet, ports: dict[str, int]
) -> None:
    machine = other(fleet)
    show(window, ports[machine])
    operator = fleet.operators[machine]
    operator.stop()
    window.wait_for(IS_GONE)
    operator.resume()
    window.wait_for(IS_TOLD)
    window.wait_for(IS_READ)
