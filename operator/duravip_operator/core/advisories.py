"""What single entities are advised, beside the verdict on their unit.

It depends on nothing but what people wrote, so it is found once and not in every pass. The rows:
`Upgraded` (semantics 38), `NoLocalBinding` (21), `PreferenceAdvised` (27), and the requests that
have no effect.
"""

from collections.abc import Iterable, Iterator, Mapping

from duravip_api.reasons import Reason
from duravip_operator.core import requests
from duravip_operator.core.conflicts import Unit
from duravip_operator.core.snapshot import Advisory, Entity


def advisories(
    units: Mapping[str, Unit], entities: Iterable[Entity]
) -> dict[str, tuple[Advisory, ...]]:
    """`{uid: what its entity is advised}`; who is not named is advised nothing."""
    with_bindings = {entity.namespace for entity in entities if entity.kind == "Binding"}
    found: dict[str, tuple[Advisory, ...]] = {}
    for unit in units.values():
        if not unit.managed or unit.broken:
            continue
        for entity in unit.entities:
            if entity.namespace not in with_bindings and _is_plain(entity):
                continue
            advice = [*_on_form(entity), *_on_requests(entity, unit)]
            is_bound = any(one.kind == "Binding" for one in unit.entities)
            if not is_bound and not entity.follow and entity.namespace in with_bindings:
                advice.append(_said("NoLocalBinding", Reason.NO_LOCAL_BINDING))
            if advice:
                found[entity.uid] = tuple(advice)
    return found


def _is_plain(entity: Entity) -> bool:
    """Whether there is nothing about it that advice could be about: nearly all are so."""
    return entity.enabled and not (entity.adaptive or entity.asked or entity.unread)


def _on_form(entity: Entity) -> Iterator[Advisory]:
    if not entity.enabled and not entity.follow:
        yield _said("Upgraded", Reason.UPGRADED)
    if entity.adaptive and not entity.preference:
        yield _said("PreferenceAdvised", Reason.PREFERENCE_ADVISED)


def _on_requests(entity: Entity, unit: Unit) -> Iterator[Advisory]:
    for why in entity.unread:
        yield ("RequestIgnored", Reason.REQUEST_UNREADABLE, f"{entity.label}: {why}")
        return
    for request in entity.asked:
        if unit.leader or requests.is_refused(request, unit.preference):
            verb = "release from" if request.releases else "move to"
            whom = f"it follows {unit.leader}" if unit.leader else "the preference decides"
            why = f"{entity.label}: cannot {verb} {request.node}: {whom}"
            yield ("RequestIgnored", Reason.REQUEST_REFUSED, why)
            return


def _said(kind: str, reason: Reason) -> Advisory:
    return (kind, reason, reason.sentence)
