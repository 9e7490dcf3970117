"""Of which nodes the store may know less than they do: it has gone back to an earlier state."""

from collections.abc import Mapping

from duravip_operator.core.handover import HEARD, Heard
from duravip_operator.core.snapshot import Snapshot


def estranged(
    snapshot: Snapshot, heard: Mapping[str, Heard], restored_in: int | None
) -> frozenset[str]:
    """The nodes of which the API server may know less than they do.

    `restored_in` is our epoch, if the store has gone back before it began: then nobody is known
    whose spec has another one. Else a node is found out by a beat that names a later generation
    than its spec has.
    """
    found = {
        name
        for name, plumbing in snapshot.plumbings.items()
        if (said := heard.get(name))
        and said.boot == plumbing.boot
        and said.generation > plumbing.generation
    }
    if restored_in is not None:
        names = snapshot.plumbings.keys() | heard.keys()
        found |= {name for name in names if _is_strange(snapshot, name, restored_in)}
    return frozenset(found)


def _is_strange(snapshot: Snapshot, name: str, epoch: int) -> bool:
    plumbing = snapshot.plumbings.get(name)
    is_heard = snapshot.hearing.get(name) in HEARD
    if plumbing is None:
        return is_heard
    return plumbing.epoch != epoch and (is_heard or bool(plumbing.boot))
