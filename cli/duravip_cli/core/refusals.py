"""What the operator's admission would say to manifests that are applied one after the other.

Each is judged beside what is in the cluster and what the files before it have written: so their
order counts, as it does for `kubectl apply`. What is refused nobody writes, and those behind it
are judged without it.
"""

from collections.abc import Sequence
from dataclasses import replace

from duravip_cli.core.documents import Document
from duravip_cli.core.lists import Lists
from duravip_cli.core.live import view
from duravip_cli.core.overlay import applied
from duravip_operator.core import admission
from duravip_operator.core.snapshot import Entity, Rejection, Snapshot, Topology


def refusals(documents: Sequence[Document], there: Lists) -> dict[str, Rejection]:
    """`{label of a document: why}` of those that are refused; `there` is what exists already."""
    known = view(there).snapshot
    entities, topologies = _by_label(known)
    new_entities, new_topologies = _by_label(view(applied(there, documents)).snapshot)
    found: dict[str, Rejection] = {}
    for label in (document.label for document in documents):
        new = new_entities.get(label) or new_topologies[label]
        why = admission.refusal(known, new, entities.get(label) or topologies.get(label))
        if why:
            found[label] = why
        elif isinstance(new, Topology):
            topologies[label] = new
            known = replace(known, topologies=tuple(topologies.values()))
        else:
            entities[label] = new
            known = replace(known, entities=tuple(entities.values()))
    return found


def _by_label(snapshot: Snapshot) -> tuple[dict[str, Entity], dict[str, Topology]]:
    entities = {entity.label: entity for entity in snapshot.entities}
    return entities, {f"Topology {topology.name}": topology for topology in snapshot.topologies}
