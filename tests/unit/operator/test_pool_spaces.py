"""Which address of a pool a key gets."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duravip_api.addresses import Range, from_int, parse_range
from duravip_operator.core.pool_spaces import Space


def space(*ranges: str, avoids_buggy: bool = False) -> Space:
    return Space(map(parse_range, ranges), None, avoids_buggy=avoids_buggy)


def chosen(where: Space, key: str) -> str:
    number = where.choose(key)
    assert number is not None
    return from_int(where.family, number)


SMALL = Range(4, 0, 700)
NUMBERS = st.integers(SMALL.first, SMALL.last)
RANGES = st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=5)


@given(ranges=RANGES, taken=st.sets(NUMBERS), key=st.text(max_size=5), buggy=st.booleans())
def test_it_is_a_free_one_as_long_as_there_is_any(
    ranges: list[tuple[int, int]], taken: set[int], key: str, buggy: bool
) -> None:
    spans = [Range(4, min(pair), max(pair)) for pair in ranges]
    usable = {
        number
        for span in spans
        for number in range(span.first, span.last + 1)
        if not (buggy and number % 256 in {0, 255})
    }
    where = Space(spans, None, avoids_buggy=buggy)
    where.take(taken)
    assert where.total == len(usable)
    assert where.used == len(usable & taken)
    assert {number for number in range(702) if number in where} == usable
    number = where.choose(key)
    assert number in usable - taken if usable - taken else number is None


@given(taken=st.sets(st.integers(0, 255)), more=st.integers(0, 255))
def test_who_comes_and_goes_changes_only_the_choice_of_their_own_address(
    taken: set[int], more: int
) -> None:
    where = Space([Range(4, 0, 255)], None, avoids_buggy=False)
    where.take(taken)
    before = where.choose("a/web/4")
    where.take(taken | {more})
    assert where.choose("a/web/4") == before or more == before


def test_the_same_name_gets_the_same_address_and_others_get_others() -> None:
    where = space("10.1.1.1-10.1.1.250")
    found = {f"default/web-{n}/4": chosen(where, f"default/web-{n}/4") for n in range(50)}
    assert found == {key: chosen(where, key) for key in found}
    assert len(set(found.values())) > 35


def test_growing_a_pool_leaves_most_choices_as_they_are() -> None:
    small, large = space("10.1.0.0-10.1.0.255"), space("10.1.0.0-10.1.1.31")
    keys = [f"a/{n}/4" for n in range(200)]
    same = sum(chosen(small, key) == chosen(large, key) for key in keys)
    assert same > 60


@pytest.mark.parametrize("block", ["fd00::-fd00::ffff:ffff:ffff:ffff", "10.0.0.0-10.255.255.255"])
def test_a_space_of_any_size_is_never_spelled_out(block: str) -> None:
    where = space(block)
    found = {chosen(where, f"a/{n}/6") for n in range(300)}
    assert len(found) == 300
    assert all(ip_address(one) for one in found)


def test_claimed_addresses_run_out() -> None:
    where = space("10.1.1.1-10.1.1.3", "10.1.1.9")
    found = set()
    for n in range(4):
        number = where.choose(f"{n}")
        assert number is not None
        where.claim(number)
        found.add(from_int(4, number))
    assert found == {"10.1.1.1", "10.1.1.2", "10.1.1.3", "10.1.1.9"}
    assert where.choose("x") is None
