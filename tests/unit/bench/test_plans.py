"""What is measured with which addresses, and what is asked of keepalived."""

from collections import Counter

import pytest

from bench import plans, spread
from bench.plans import Wish, plan
from bench.scrapes import api_writes, more, samples, value
from bench.systems.keepalived_config import config

METRICS = """\
# HELP apiserver_request_total Requests
apiserver_request_total{code="200",resource="duravips",subresource="status",verb="PUT"} 12
apiserver_request_total{code="409",resource="duravips",subresource="status",verb="PUT"} 1
apiserver_request_total{code="200",resource="leases",subresource="",verb="PUT"} 99
apiserver_request_total{code="200",resource="nodes",subresource="",verb="LIST"} 7
apiserver_request_total_sum 5
up{text="a \\"b\\", c"} 1.5e+2
"""


def test_a_full_run_has_every_case_of_duravip_with_every_number_of_addresses() -> None:
    cells = {(c.case, c.addresses) for c in plan(Wish()) if c.system == "duravip"}
    own = [case for case in plans.CASES if case != plans.MAIL_MOVE]
    assert {(case, n) for case in own for n in plans.FULL_COUNTS} - cells == {
        ("at-rest", 1), ("at-rest", 100), ("at-rest", 1000),
    }  # fmt: skip


def test_of_one_system_the_addresses_only_ever_rise() -> None:
    for wish in (Wish(), Wish(quick=True)):
        for system in plans.SYSTEMS:
            counts = [cell.addresses for cell in plan(wish) if cell.system == system]
            assert counts == sorted(counts)


def test_a_wish_narrows_the_plan() -> None:
    wish = Wish(("crash",), ("keepalived-1s",), (100, 7), 3, quick=True)
    assert [(c.case, c.system, c.addresses, c.runs) for c in plan(wish)] == [
        ("crash", "keepalived-1s", 7, 3),
        ("crash", "keepalived-1s", 100, 3),
    ]


def test_keepalived_has_no_control_plane_to_lose() -> None:
    assert not plan(Wish(cases=("control-plane-away",), systems=plans.KEEPALIVED))


@pytest.mark.parametrize("count", [1, 2, 100, 10_240])
def test_every_address_has_one_home_and_the_first_is_the_victims(count: int) -> None:
    homes = spread.homes(count)
    assert len(homes) == count
    assert homes[spread.addresses(count)[0]] == spread.VICTIM
    shares = Counter(homes.values()).values()
    assert max(shares) - min(shares) <= 1 or count < len(spread.NODES)


@pytest.mark.parametrize("count", [1, 99, 100, 101, 334, 3414])
def test_a_sample_has_the_first_and_the_last_and_nothing_twice(count: int) -> None:
    items = list(range(count))
    chosen = spread.sample(items)
    assert (chosen[0], chosen[-1]) == (0, count - 1)
    assert len(set(chosen)) == len(chosen) == min(count, spread.MOST_OBSERVED)


def test_every_node_is_told_every_address_once_and_wants_its_own_most() -> None:
    for node in spread.NODES:
        words = config(node, 100, 0.1).split()
        assert sorted(w for w in words if w.startswith("10.1.64.")) == sorted(
            f"{address}/32" for address in spread.addresses(100)
        )
    first = config("n1", 100, 0.1).partition("vrrp_instance share1")[0]
    assert "priority 250" in first
    assert "advert_int 0.1" in first


def test_keepalived_does_not_name_more_addresses_than_an_advertisement_holds() -> None:
    text = config("n1", 3, 1.0)
    assert "virtual_ipaddress_excluded" not in text
    named = config("n1", 1000, 1.0).partition("virtual_ipaddress_excluded")[0]
    assert named.count("/32") == 20


def test_writes_are_counted_without_leases_and_without_reads() -> None:
    assert api_writes(METRICS) == {"PUT duravips/status": 13}


def test_counters_are_compared() -> None:
    assert more({"a": 1, "b": 2}, {"a": 1, "b": 5, "c": 1}) == {"b": 3, "c": 1}


def test_labels_with_quotes_and_numbers_with_exponents_are_read() -> None:
    assert list(samples(METRICS, "up")) == [({"text": 'a \\"b\\", c'}, 150.0)]
    assert value(METRICS, "apiserver_request_total", code="409") == 1


def test_mail_has_one_case_of_its_own_which_quickly_is_measured_on_request_only() -> None:
    def found(wish: Wish) -> list[tuple[str, str]]:
        return [(c.case, c.system) for c in plan(wish) if plans.MAIL in c.system]

    own = [("mail-move", "duravip-mail")]
    assert found(Wish()) == own
    assert found(Wish(quick=True)) == []
    assert found(Wish(quick=True, cases=("mail-move",))) == own
    assert found(Wish(quick=True, systems=("duravip-mail",))) == own
