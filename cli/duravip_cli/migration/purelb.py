"""PureLB: ServiceGroups of local addresses become AddressPools and Topologies.

A Service that asks for nothing gets an address of the group that serves its namespace, or of the
one named `default`; every other group has to be asked for. A group says in which network its
addresses lie, and an LBNodeAgent on which interface they are announced.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from duravip_api.addresses import Range
from duravip_api.untrusted import list_of, mapping_of
from duravip_cli.address_ranges import read_range
from duravip_cli.migration.conversion import (
    Drafts,
    PoolDraft,
    SegmentDraft,
    of_kind,
    read_ranges,
)
from duravip_cli.migration.label_selectors import equalities
from duravip_cli.objects import Body, label_of, name_of, spec_of

GROUP: Final = "purelb.io"
DEFAULT: Final = "default"
_ELSEWHERE: Final = ("remote", "external", "netbox", "epic")
_ANNOUNCED_BY_ROUTES: Final = "its addresses are announced by a router, or come from elsewhere"
_PLAIN_NAME: Final = re.compile(r"[A-Za-z0-9_.@-]+")


def read_purelb(bodies: Iterable[Body]) -> Drafts:
    """The pools and segments that PureLB's objects configure."""
    bodies = tuple(bodies)
    drafts = Drafts([], [], [])
    where = _announced(of_kind(bodies, GROUP, "LBNodeAgent"), drafts.notes)
    for group in of_kind(bodies, GROUP, "ServiceGroup"):
        _read_group(group, where, drafts)
    return drafts


def _read_group(
    group: Body, where: tuple[tuple[str, ...], Mapping[str, str] | None], drafts: Drafts
) -> None:
    label, spec = label_of("ServiceGroup", group), spec_of(group)
    for form in _ELSEWHERE:
        if form in spec:
            drafts.notes.append(f"{label}: spec.{form}: {_ANNOUNCED_BY_ROUTES}: not carried")
    local = mapping_of(spec.get("local"))
    if not local:
        return
    found: list[Range] = []
    for pool in _pools_of(local):
        ranges = read_ranges(label, [pool.get("pool")], drafts.notes)
        found += ranges
        block = _subnet(label, pool.get("subnet"), drafts.notes)
        drafts.segments.append(SegmentDraft(label, name_of(group), ranges, *where, block))
    drafts.notes.extend(
        f"{label}: spec.local.{field}: not carried: {why}"
        for field, why in (
            ("multiPool", "a Service gets one address of each family"),
            ("balancePools", "an address of a pool is chosen by the Service's name"),
        )
        if local.get(field)
    )
    restrictions = _restrictions(label, name_of(group), spec, drafts.notes)
    drafts.pools.append(PoolDraft(label, name_of(group), tuple(found), restrictions))


def _restrictions(
    label: str, name: str, spec: Mapping[str, Any], notes: list[str]
) -> dict[str, Any]:
    """The fields beside `ranges`."""
    namespaces = list(map(str, list_of(spec.get("namespaces"))))
    if not namespaces:
        return {} if name == DEFAULT else {"autoAssign": False}
    if not spec.get("enforceNamespaces"):
        notes.append(
            f"{label}: spec.namespaces: here it is a boundary: other namespaces get none of its "
            "addresses, even if they ask"
        )
    return {"namespaces": namespaces, "priority": 50}


def _pools_of(local: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Every pool of a group, in the present form and in the first one."""
    for name in ("v4pool", "v6pool"):
        if name in local:
            yield mapping_of(local[name])
    for name in ("v4pools", "v6pools"):
        yield from map(mapping_of, list_of(local.get(name)))
    if local.get("pool"):
        yield local


def _subnet(label: str, given: object, notes: list[str]) -> Range | None:
    try:
        return read_range(str(given))
    except ValueError:
        notes.append(f"{label}: subnet: {str(given)[:80]!r} is no network")
        return None


def _announced(
    agents: list[Body], notes: list[str]
) -> tuple[tuple[str, ...], Mapping[str, str] | None]:
    """`(interfaces, labels of the nodes)`; an interface is left out unless all agents name one."""
    names: list[str] = []
    selectors: list[Any] = []
    for agent in agents:
        label, local = label_of("LBNodeAgent", agent), mapping_of(spec_of(agent).get("local"))
        name = str(local.get("localInterface") or local.get("localint") or DEFAULT)
        if name != DEFAULT and not _PLAIN_NAME.fullmatch(name):
            notes.append(f"{label}: interface {name!r} is a pattern: each node uses the interface "
                         "that is in the network instead")  # fmt: skip
            name = DEFAULT
        names.append(name)
        selectors.append(spec_of(agent).get("nodeSelector"))
    is_named = names and DEFAULT not in names
    selector = equalities(selectors[0]) if len(selectors) == 1 else None
    if any(selectors) and selector is None:
        notes.append(
            "LBNodeAgents: their nodeSelectors say more than one list of labels: not carried, "
            "every node may hold an address"
        )
    return tuple(dict.fromkeys(names)) if is_named else (), selector
