"""Admission on a real API server: what people are told when they write what cannot be."""

import json
from copy import deepcopy
from typing import Any

import pytest

from api.gate import DRY, Gate
from api.objects import Body, address_pool, apply, binding, duravip, reason, topology
from api.plugin import called
from lab.cluster import Lab
from lab.fleet import wait_until

LAB = "admission"
VICTIM, MALLORY = "default", "mallory"
MAIL, SMTP, TAIL = "10.1.1.1", "10.1.1.2", "10.1.1.3"


@pytest.fixture(scope="module")
def gate(lab: Lab) -> Gate:
    """A tenant who has a name and three addresses, another tenant, and an operator that knows."""
    lab.kubectl("create", "namespace", MALLORY)
    gate = Gate(lab)
    blocks = [topology(), topology("reserved", "10.1.2.0/24", namespaces=[VICTIM])]
    mine = [binding("mail-1", MAIL), duravip("smtp", SMTP), duravip("tail", TAIL, follow="mail-1")]
    apply(lab, [*blocks, *mine])
    taken = "belongs to another namespace"
    theirs = {TAIL: taken, MAIL: taken, "10.1.2.1": "does not admit"}
    for address, words in theirs.items():  # of each kind: they are watched independently
        gate.until_refused(of(MALLORY, duravip("probe", address)), words)
    gate.until_refused(duravip("probe", "10.1.0.11"), "is an address of node n1")
    return gate


def of(namespace: str, body: Body) -> Body:
    """The same object in another namespace."""
    moved = deepcopy(body)
    moved["metadata"]["namespace"] = namespace
    return moved


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (
            duravip("own", "10.77.0.12"),
            'admission webhook "admission.duravip.io" denied the request: DuraVIP default/own: '
            "spec.address: 10.77.0.12 is an address of node n2; choose an address that no node",
        ),
        (duravip("own", "10.1.0.11"), "10.1.0.11 is an address of node n1"),
        (duravip("own", "fd00:1::11"), "fd00:1::11 is an address of node n1"),
        (binding("own", "10.77.0.11"), "10.77.0.11 is an address of node n1"),
        (topology("twin"), "Topology twin: spec.cidr: Topology lan has 10.1.0.0/16 already; edit"),
        (duravip("pair", MAIL, follow="mail-1"), "spec.follow: 'mail-1' has this very address"),
        (binding("default", "10.1.1.9"), "the name 'default' is reserved: choose another one"),
        (binding("#mmove", "10.1.1.9"), 'Invalid value: "#mmove"'),
        (duravip("edge", "10.1.2.255"), "is the network or broadcast address of 10.1.2.0/24"),
    ],
)
def test_what_can_never_be_served_is_refused(gate: Gate, body: Body, words: str) -> None:
    assert words in gate.refusal(body)
    assert words in gate.refusal(body, DRY)


def test_a_pool_that_overlaps_an_older_one_is_refused(lab: Lab, gate: Gate) -> None:
    apply(lab, [address_pool("lan", "10.1.5.0-10.1.5.99")])
    twin = address_pool("twin", "10.1.5.99-10.1.5.200")
    gate.until_refused(twin, "AddressPool twin: spec.ranges: AddressPool lan has 10.1.5.99 alread")
    assert gate.refusal(address_pool("twin", "10.1.5.100-10.1.5.200"), DRY) == ""
    assert gate.refusal(address_pool("lan", "10.1.5.0-10.1.5.199"), DRY) == ""
    lab.kubectl("delete", "addresspool", "lan")


def test_refusals_are_counted_by_reason(gate: Gate) -> None:
    before = gate.counted("NodeAddress")
    gate.until_refused(duravip("own", "10.1.0.11"), "is an address of node n1")
    wait_until(lambda: gate.counted("NodeAddress") > before, "what is shown is a second old", 10)
    assert gate.counted("Served") == 0


@pytest.mark.parametrize(
    ("attempt", "words"),
    [
        (duravip("a", SMTP), f"{SMTP} belongs to another namespace"),
        (duravip("a", MAIL, enableDuravip=False), f"{MAIL} belongs to another namespace"),
        (binding("mail-1", "10.1.1.9"), "Binding name mail-1 stands for several addresses"),
        (duravip("a", "10.1.2.1"), "Topology reserved does not admit namespace mallory"),
        (duravip("a", "10.1.1.9", follow=SMTP), f"'{SMTP}' belongs to another namespace"),
    ],
)
def test_a_tenant_neither_takes_nor_breaks_anothers_address(
    gate: Gate, attempt: Body, words: str
) -> None:
    said = gate.refusal(of(MALLORY, attempt))
    assert words in said
    assert f"{attempt['kind']} {MALLORY}/{attempt['metadata']['name']}: spec." in said


def test_neither_an_edit_nor_a_huge_object_is_a_way_round(gate: Gate) -> None:
    honest = of(MALLORY, duravip("honest", "10.1.1.20"))
    assert gate.refusal(honest) == ""
    assert f"{SMTP} belongs to" in gate.refusal(of(MALLORY, duravip("honest", SMTP)))
    big = of(MALLORY, duravip("big", SMTP))
    big["metadata"]["labels"] = {f"l{n}": "x" * 63 for n in range(14_000)}
    assert len(json.dumps(big)) > 1_000_000
    assert f"{SMTP} belongs to" in gate.refusal(big, "--server-side", DRY)


@pytest.mark.parametrize(
    "body",
    [
        duravip("good", "10.1.1.30", preference="n2"),
        duravip("no-topology-yet", "172.16.0.1"),
        duravip("no-leader-yet", "10.1.1.31", follow="mail-9"),
        duravip("mine-too", "10.1.2.1"),
        binding("no-address", "10.1.1.32", group="g"),
        topology("inner", "10.1.3.0/24"),
        duravip("smtp", "10.1.1.33"),
        binding("mail-1", "10.1.1.34"),
        topology(interface="eth2"),
    ],
    ids=lambda body: str(body["metadata"]["name"]),
)
def test_what_is_well_or_may_become_so_is_let_in(gate: Gate, body: Body) -> None:
    assert gate.refusal(body, DRY) == ""


def test_the_doctor_tries_the_webhook_and_says_when_nobody_answers(lab: Lab, gate: Gate) -> None:
    def findings() -> set[tuple[str, str]]:
        _, said = called(lab, "doctor", "-o", "json")
        return {(f["verdict"], f["message"]) for f in json.loads(said) if f["check"] == "webhook"}

    assert findings() == {("ok", "an address of a node is refused when it is written")}
    gate.close()
    ((verdict, message),) = findings()
    assert (verdict, message[:29]) == ("FAIL", "no operator has answered the ")
    gate.open()
    gate.until_refused(duravip("probe", "10.1.0.11"), "is an address of node n1")


def test_without_an_operator_everything_is_let_in_and_judged_later(lab: Lab, gate: Gate) -> None:
    broken, namesake = duravip("own", "10.1.0.11"), of(MALLORY, binding("mail-2", "10.1.1.41"))

    def named() -> str:
        return lab.kubectl("get", "dvb", "-A", "-o=jsonpath={..conditions[*].reason}")

    gate.close()
    for body in (broken, namesake, binding("mail-2", "10.1.1.42")):
        assert gate.refusal(body) == ""
    gate.open()
    wait_until(lambda: reason(lab, "duravip", "own") == "NodeAddress", "it is found later")
    gate.until_refused(duravip("probe", "10.1.0.11"), "is an address of node n1")
    wait_until(lambda: "NameMismatch" in named(), "so is the name, of one of them")

    labelled: dict[str, Any] = deepcopy(broken)
    labelled["metadata"]["labels"] = {"seen": "yes"}
    assert gate.refusal(labelled) == ""
    assert "is an address of node n1" in gate.refusal(duravip("own", "fd00:1::11"))
    assert gate.refusal(duravip("own", "10.1.1.43")) == ""
    lab.kubectl("delete", "vipbinding", "mail-2", f"-n{MALLORY}")
    wait_until(lambda: reason(lab, "duravip", "own") != "NodeAddress", "it is mended")
    wait_until(lambda: reason(lab, "dvb", "mail-2") != "NameMismatch", "and the name")


def test_a_renewed_certificate_is_taken_up_and_a_bad_one_changes_nothing(
    gate: Gate,
) -> None:
    bad = duravip("probe", "10.1.0.11")
    (gate.folder / "tls.crt").write_text("no certificate\n")
    refused = "cannot use the webhook's new certificate: "
    wait_until(lambda: refused in gate.log(), "the bad one is looked at")
    assert "is an address of node n1" in gate.refusal(bad, DRY)
    before = gate.shown_certificate()
    gate.renew()
    wait_until(lambda: gate.shown_certificate() != before, "the new one is in force")
    assert "is an address of node n1" in gate.refusal(bad, DRY)


def test_a_replica_whose_webhook_cannot_be_opened_is_not_ready(gate: Gate) -> None:
    assert gate.readiness() == "ok"
    gate.close()
    good = (gate.folder / "tls.crt").read_text()
    (gate.folder / "tls.crt").write_text("no certificate\n")
    gate.open()
    wait_until(lambda: "cannot serve webhooks" in gate.readiness(), "it says so")
    (gate.folder / "tls.crt").write_text(good)
    wait_until(lambda: gate.readiness() == "ok", "it is ready")
    assert gate.restarts() == 0
