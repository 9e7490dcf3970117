"""What each alert is for: the series of its fault, and what it says of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

MINUTE: Final = 60
NEVER, GONE = "_", "stale"
"""Of a series that is not there yet, and no more."""
BUCKETS: Final = ("0.6", "1.0", "2.0", "+Inf")


def served_within(pod: str) -> list[str]:
    """The series of how long fail-overs took."""
    name = "duravip_operator_failover_seconds_bucket"
    return [f'{name}{{pod="{pod}",phase="serve",le="{le}"}}' for le in BUCKETS]


@dataclass(frozen=True)
class Fault:
    """Series that are otherwise while something is wrong, and what is said of it."""

    alert: str
    series: Mapping[str, tuple[str, str, str]]
    """Values before, meanwhile and afterwards, as promtool takes them; `+30`: it
    grows by 30 from one scrape to the next; `=`: it stays as it is."""
    summary: str
    labels: dict[str, str] = field(default_factory=dict)
    looks_back: int = 0
    """Seconds for which it goes on after its end."""
    ramp: int = 0
    """Seconds until a rate has risen over its limit."""


def condition(kind: str, reason: str) -> str:
    name = "duravip_operator_entity_conditions"
    return f'{name}{{pod="a",condition="{kind}",reason="{reason}"}}'


def of_both(metric: str) -> tuple[str, str]:
    return f'{metric}{{pod="a"}}', f'{metric}{{pod="b"}}'


def of_mail(metric: str, labels: str = "") -> str:
    """On n3."""
    return f'duravip_mail_{metric}{{instance="n3:9482",pod="mail-n3"{labels}}}'


SENT: Final = ',binding="foo",result="sent"'
MAIL_OF_N3: Final = {"instance": "n3:9482", "pod": "mail-n3"}
N3 = '{instance="n3:9481",pod="n3"}'
OF_N3: Final = {"instance": "n3:9481", "pod": "n3"}
FAULTS: Final = {
    "no replica leads": Fault(
        "DuraVIPNoLeader",
        {of_both("duravip_operator_leading")[0]: ("1", "0", "1")},
        "No replica of the DuraVIP operator leads.",
    ),
    "no replica is scraped": Fault(
        "DuraVIPNoLeader",
        dict.fromkeys(of_both("duravip_operator_leading"), ("1", GONE, "1")),
        "No replica of the DuraVIP operator leads.",
    ),
    "two nodes serve an address": Fault(
        "DuraVIPTwoOwners",
        {condition("AddressInUse", "ServedTwice"): (NEVER, "2", GONE)},
        "2 objects have an address that two nodes say they serve.",
        {"reason": "ServedTwice"},
    ),
    "a stranger has an address": Fault(
        "DuraVIPForeignClaim",
        {condition("AddressInUse", "AddressInUse"): (NEVER, "1", GONE)},
        "1 objects have an address that another host answers for.",
        {"reason": "AddressInUse"},
    ),
    "addresses have no owner": Fault(
        "DuraVIPAddressUnowned",
        {'duravip_operator_units{pod="a",state="Unassigned"}': ("0", "3", "0")},
        "3 addresses have no owner.",
    ),
    "a node is silent": Fault(
        "DuraVIPNodeSilent",
        {'duravip_operator_node_heard{pod="a",node="n3"}': ("1", "0", "1")},
        "The agent of node n3 is not heard.",
        {"node": "n3"},
    ),
    "a kernel takes no fence": Fault(
        "DuraVIPUnfenced",
        {f"duravip_agent_well{N3}": ("1", "0", "1")},
        "Something keeps the node of n3:9481 from serving any address.",
        OF_N3,
    ),
    "an agent stood still": Fault(
        "DuraVIPFenceLapse",
        {f"duravip_agent_lapses_total{N3}": ("0", "1", "=")},
        "All addresses of the node of n3:9481 were silent for a moment.",
        OF_N3,
        looks_back=10 * MINUTE,
    ),
    "a fifth of the heartbeats is lost": Fault(
        "DuraVIPHeartbeatsLost",
        {f"duravip_agent_beats_lost_total{N3}": ("0", "+30", "=")},
        "No leader acknowledges 2 of ten heartbeats a second of n3:9481.",
        OF_N3,
        looks_back=2 * MINUTE,
        ramp=MINUTE,
    ),
    "a fail-over took two seconds": Fault(
        "DuraVIPFailoverSlow",
        dict.fromkeys(served_within("a")[2:], ("0", "1", "=")),
        "A fail-over of the last hour took 1.99s.",
        looks_back=60 * MINUTE,
    ),
    "objects are refused": Fault(
        "DuraVIPAddressBroken",
        {'duravip_operator_entities{pod="a",state="Broken"}': ("0", "2", "0")},
        "2 DuraVIPs or Bindings are refused.",
    ),
    "a preferred node is drained": Fault(
        "DuraVIPPreferenceNotMet",
        {condition("PreferenceNotMet", "NodeDrained"): (NEVER, "1", GONE)},
        "1 objects are not on the node that they prefer (NodeDrained).",
        {"reason": "NodeDrained"},
    ),
    "a node has no witness": Fault(
        "DuraVIPNoWitness",
        {of_both("duravip_operator_topologies_without_witness")[0]: ("0", "1", "0")},
        "On 1 Topologies nobody else hears some node.",
    ),
    "no webhook listens": Fault(
        "DuraVIPWebhookMissing",
        dict.fromkeys(of_both("duravip_operator_webhook_listening"), ("1", "0", "1")),
        "No replica answers the API server's admission reviews.",
    ),
    "a pool is empty": Fault(
        "DuraVIPPoolExhausted",
        {
            'duravip_operator_pool_addresses_used{pod="a",pool="shops",family="4"}': (
                *("0", "1", "0"),
            )
        },
        "AddressPool shops has no IPv4 address left.",
        {"pool": "shops", "family": "4"},
    ),
    "mail's address is not there": Fault(
        "DuraVIPMailBindRefused",
        {of_mail("bind_refused_total", ',binding="foo"'): ("0", "+3", "=")},
        "Mail of Binding foo was to leave from n3:9482, which has not got its address.",
        {**MAIL_OF_N3, "binding": "foo"},
        looks_back=2 * MINUTE,
    ),
    "mail hears no agent": Fault(
        "DuraVIPMailWithoutAgent",
        {of_mail("agent_connected"): ("1", "0", "1")},
        "Mail on n3:9482 does not hear which addresses are there.",
        MAIL_OF_N3,
    ),
    "mail's tables cannot be written": Fault(
        "DuraVIPMailTablesOld",
        {of_mail("table_age_seconds"): ("1", "90", "1")},
        "The tables of Postfix on n3:9482 were not compared for 1m 30s.",
        MAIL_OF_N3,
    ),
    "mail enters far from its Bindings": Fault(
        "DuraVIPMailMovesMuch",
        {of_mail("mmove_total", f',direction="out"{SENT}'): ("0", "+30", "=")},
        "More than a fifth of the mail enters at a node that does not serve its Binding.",
        looks_back=15 * MINUTE,
        ramp=5 * MINUTE,
    ),
}
