"""A few random histories with the real cores, short enough to be tried on every mutant.

Only two owners count here: that everything comes to rest is what tests/simulation looks at, for
longer.
"""

import pytest

from simulation.histories.explore import explored


@pytest.mark.parametrize("seed", range(3))
def test_no_address_has_two_owners_in_a_few_histories(seed: int) -> None:
    assert " answer for " not in explored(6, seed, frozenset(), shrinks=False).fault
