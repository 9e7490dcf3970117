"""A tenant who may write DuraVIPs and Bindings in one namespace tries to harm another's."""

from dataclasses import replace

import pytest

from duravip_operator.core.snapshot import Snapshot, VipObject
from unit.operator.admission_world import binding, duravip, refusal, topology, world

VICTIM = (binding("victim/mail-1", "10.1.1.1"), duravip("victim/smtp", "10.1.1.2"))
RESERVED = topology("reserved", "10.1.2.0/24", namespaces=["victim"])
SHARED = topology("shared", "10.1.3.0/24", namespaces=["victim", "mallory"])


@pytest.fixture
def cluster() -> Snapshot:
    return world(*VICTIM, topologies=(topology(), RESERVED, SHARED))


@pytest.mark.parametrize(
    ("attempt", "said"),
    [
        (duravip("mallory/a", "10.1.1.1"), "10.1.1.1 belongs to another namespace"),
        (binding("mallory/a", "10.1.1.2"), "10.1.1.2 belongs to another namespace"),
        (duravip("mallory/a", "10.1.1.2", enableDuravip=False), "belongs to another namespace"),
        (binding("mallory/mail-1", "10.1.1.9"), "mail-1 stands for several addresses"),
        (binding("mallory/mail-1", "10.1.3.9", enableDuravip=False), "several addresses"),
        (binding("mallory/mail-1", "10.1.1.1"), "10.1.1.1 belongs to another namespace"),
        (duravip("mallory/a", "10.1.2.1"), "Topology reserved does not admit namespace mallory"),
        (binding("mallory/a", "10.1.2.1"), "Topology reserved does not admit namespace mallory"),
        (
            duravip("mallory/a", "10.1.1.9", follow="10.1.1.2", nodeSelector={"is": "nowhere"}),
            "'10.1.1.2' belongs to another namespace",
        ),
    ],
)
def test_an_attempt_is_refused_and_names_what_it_tried(
    cluster: Snapshot, attempt: VipObject, said: str
) -> None:
    refused = refusal(cluster, attempt)
    assert said in refused
    assert refused.startswith(f"{attempt.label}: spec.")
    assert "; " in refused  # and what to write instead


def test_an_older_object_takes_nothing_when_it_is_edited(cluster: Snapshot) -> None:
    old = replace(duravip("mallory/a", "10.1.1.9"), created="1999-01-01T00:00:00Z")
    known = replace(cluster, vips=(*cluster.vips, old))
    for address in ("10.1.1.1", "10.1.1.2"):
        edited = replace(old, address=address)
        assert f"{address} belongs to" in refusal(known, edited, old)


def test_an_object_of_the_same_second_takes_nothing(cluster: Snapshot) -> None:
    same = replace(duravip("a-first/a", "10.1.1.2"), created=VICTIM[1].created)
    assert same.seniority < VICTIM[1].seniority
    assert "belongs to another namespace" in refusal(cluster, same)


def test_a_name_cannot_be_broken_from_a_block_that_was_taken_away() -> None:
    once = binding("mallory/mail-1", "10.1.2.1")
    known = world(binding("victim/mail-1", "10.1.2.1"), once, topologies=(RESERVED,))
    assert refusal(known, once, once) == ""
    edited = binding("mallory/mail-1", "10.1.2.9")
    assert "does not admit namespace mallory" in refusal(known, edited, once)


def test_what_a_topology_shares_may_be_shared(cluster: Snapshot) -> None:
    known = replace(cluster, vips=(*VICTIM, duravip("victim/shared", "10.1.3.1")))
    assert refusal(known, duravip("mallory/a", "10.1.3.1")) == ""
    assert refusal(known, duravip("mallory/b", "10.1.3.2", follow="10.1.3.1")) == ""
