"""What is in the cluster, once some documents are applied to it."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from duravip_cli.core.documents import Document
from duravip_cli.core.lists import Body, Lists, name_of, namespace_of

NEWEST: Final = "9999-12-31T23:59:59Z"
"""When something is created that is only about to be: it is younger than all that is there."""


def applied(lists: Lists, documents: Iterable[Document]) -> Lists:
    """The lists once these documents are applied."""
    found: dict[str, dict[tuple[str, str], Body]] = {
        kind: {(namespace_of(b), name_of(b)): b for b in bodies}
        for kind, bodies in (
            ("DuraVIP", lists.duravips),
            ("Binding", lists.bindings),
            ("Topology", lists.topologies),
        )
    }
    for document in documents:
        kind, *where = document.key
        namespace, name = where
        old = found[kind].get((namespace, name), {})
        fresh = {"uid": f"new {document.label}", "creationTimestamp": NEWEST}
        metadata = {**fresh, **document.body["metadata"], **(old.get("metadata") or {})}
        body = {**document.body, "metadata": metadata, "status": old.get("status") or {}}
        found[kind][namespace, name] = body
    duravips, bindings, topologies = (tuple(bodies.values()) for bodies in found.values())
    return replace(lists, duravips=duravips, bindings=bindings, topologies=topologies)
