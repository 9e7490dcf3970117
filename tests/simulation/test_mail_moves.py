"""No message leaves from elsewhere, none is moved twice on one mistake: in every history."""

import pytest

from duravip_mail.core.routes import routes
from simulation.mail_moves import GONE, NODES, Model, Rules, State, reachable


@pytest.fixture(scope="module")
def found() -> set[State]:
    return reachable(Model(Rules()))


def test_no_message_leaves_from_a_node_without_the_address(found: set[State]) -> None:
    assert len(found) > 5_000
    assert any(state.place == GONE for state in found)
    assert not [state for state in found if state.left_wrongly]


def test_no_message_is_taken_twice_on_one_mistake(found: set[State]) -> None:
    assert any(state.taken == 1 for state in found)
    assert not [state for state in found if state.is_loop]


def test_whatever_has_happened_the_message_leaves_as_soon_as_the_truth_is_known(
    found: set[State],
) -> None:
    model = Model(Rules())
    for state in found:
        for owner in NODES:
            after = model.settled(state, owner)
            assert (after.place, after.left_wrongly) == (GONE, state.left_wrongly)
            assert after.taken <= 1


def test_a_node_that_took_all_would_move_a_message_for_ever() -> None:
    assert any(state.is_loop for state in reachable(Model(Rules(accepted=routes))))


def test_postfix_default_would_send_from_elsewhere() -> None:
    loose = Model(Rules(is_bind_enforced=False))
    assert any(state.left_wrongly for state in reachable(loose))


def test_a_queue_that_is_looked_at_between_the_tables_would_loop() -> None:
    early = Model(Rules(waits_for_tables=False))
    assert any(state.is_loop for state in reachable(early))
