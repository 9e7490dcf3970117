"""MetalLB: IPAddressPools become AddressPools, L2Advertisements Topologies.

The order of pools: MetalLB first tries those that are tied to a Service's namespace or labels, by
priority, 0 last, then the others. Ours are tried by priority alone, so the others get the last one
as soon as there are tied ones.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from duravip_api.untrusted import list_of, mapping_of
from duravip_cli.migration.conversion import (
    Drafts,
    PoolDraft,
    SegmentDraft,
    labels_of,
    of_kind,
    read_ranges,
)
from duravip_cli.migration.label_selectors import equalities, is_match
from duravip_cli.objects import Body, label_of, name_of, spec_of

GROUP: Final = "metallb.io"
LAST_PRIORITY: Final = 1000
_TIED_LAST: Final = LAST_PRIORITY - 1
_NOT_CARRIED: Final[Mapping[str, str]] = {
    "BGPPeer": "DuraVIP speaks no BGP",
    "BGPAdvertisement": "DuraVIP speaks no BGP",
    "BFDProfile": "DuraVIP speaks no BGP",
    "Community": "DuraVIP speaks no BGP",
    "AddressPool": "a kind that MetalLB itself has replaced by IPAddressPool",
}


def read_metallb(bodies: Iterable[Body]) -> Drafts:
    """The pools and segments that MetalLB's objects configure.

    Namespaces among the bodies are what `namespaceSelectors` are resolved by.
    """
    bodies = tuple(bodies)
    notes = [
        f"{label_of(kind, body)}: {why}: not carried"
        for kind, why in _NOT_CARRIED.items()
        for body in of_kind(bodies, GROUP, kind)
    ]
    pools = of_kind(bodies, GROUP, "IPAddressPool")
    namespaces = of_kind(bodies, "v1", "Namespace")
    layer2 = of_kind(bodies, GROUP, "L2Advertisement")
    routed = of_kind(bodies, GROUP, "BGPAdvertisement")
    is_any_tied = any(_allocation(pool) for pool in pools)
    drafts = Drafts([], [], notes)
    for pool in pools:
        _read_pool(
            pool, layer2, routed, drafts, _spec(pool, namespaces, notes, is_any_tied=is_any_tied)
        )
    return drafts


def _read_pool(
    pool: Body, layer2: list[Body], routed: list[Body], drafts: Drafts, spec: Mapping[str, Any]
) -> None:
    label = label_of("IPAddressPool", pool)
    announcing = [body for body in layer2 if _selects(body, pool)]
    if not announcing and any(_selects(body, pool) for body in routed):
        drafts.notes.append(f"{label}: is announced by BGP alone: not carried")
        return
    ranges = read_ranges(label, list_of(spec_of(pool).get("addresses")), drafts.notes)
    drafts.pools.append(PoolDraft(label, name_of(pool), ranges, spec))
    if not announcing:
        drafts.notes.append(f"{label}: no L2Advertisement announces it: it gets no Topology")
    drafts.segments.extend(_segment(body, ranges, drafts.notes) for body in announcing)


def _segment(body: Body, ranges: tuple[Any, ...], notes: list[str]) -> SegmentDraft:
    label, spec = label_of("L2Advertisement", body), spec_of(body)
    terms = list_of(spec.get("nodeSelectors"))
    selector = equalities(terms[0]) if len(terms) == 1 else None
    if terms and selector is None:
        note = (
            f"{label}: spec.nodeSelectors say more than a list of labels: not carried, every node "
            "may hold its addresses"
        )
        if note not in notes:
            notes.append(note)
    interfaces = tuple(map(str, list_of(spec.get("interfaces"))))
    return SegmentDraft(label, name_of(body), ranges, interfaces, selector)


def _selects(advertisement: Body, pool: Body) -> bool:
    """Whether it announces the pool: by name, by labels, or because it names none."""
    spec = spec_of(advertisement)
    names, selectors = (
        list_of(spec.get(field)) for field in ("ipAddressPools", "ipAddressPoolSelectors")
    )
    is_named = name_of(pool) in names
    is_labelled = any(is_match(selector, labels_of(pool)) for selector in selectors)
    return is_named or is_labelled or not (names or selectors)


def _allocation(pool: Body) -> Mapping[str, Any]:
    return mapping_of(spec_of(pool).get("serviceAllocation"))


def _spec(
    pool: Body, namespaces: list[Body], notes: list[str], *, is_any_tied: bool
) -> dict[str, Any]:
    """The fields beside `ranges`."""
    label, given, allocation = label_of("IPAddressPool", pool), spec_of(pool), _allocation(pool)
    spec: dict[str, Any] = {}
    if given.get("avoidBuggyIPs"):
        spec["avoidBuggyIPs"] = True
    is_open = given.get("autoAssign") is not False
    admitted, is_whole = _admitted(label, allocation, namespaces, notes)
    if list_of(allocation.get("serviceSelectors")):
        is_whole = False
        notes.append(
            f"{label}: spec.serviceAllocation.serviceSelectors: not carried: a Service gets one "
            f"of its addresses by asking, duravip.io/pool: {name_of(pool)}"
        )
    if admitted:
        spec["namespaces"] = admitted
    if not (is_open and is_whole):
        spec["autoAssign"] = False
    if is_any_tied:
        spec["priority"] = _priority(label, allocation, notes)
    return spec


def _priority(label: str, allocation: Mapping[str, Any], notes: list[str]) -> int:
    given = allocation.get("priority")
    if not allocation:
        return LAST_PRIORITY
    if not isinstance(given, int) or given <= 0:
        return _TIED_LAST
    if given > _TIED_LAST:
        notes.append(f"{label}: priority {given} is carried as {_TIED_LAST}")
    return min(given, _TIED_LAST)


def _admitted(
    label: str, allocation: Mapping[str, Any], namespaces: list[Body], notes: list[str]
) -> tuple[list[str], bool]:
    """`(the namespaces that may use it, whether those are all that its selectors mean)`."""
    names = list(map(str, list_of(allocation.get("namespaces"))))
    selectors = list_of(allocation.get("namespaceSelectors"))
    if not selectors:
        return names, True
    field = f"{label}: spec.serviceAllocation.namespaceSelectors"
    if not namespaces:
        notes.append(
            f"{field}: which namespaces they mean is not in these files: not carried, no Service "
            "gets an address of it without asking; --live resolves them"
        )
        return names, False
    found = [
        name_of(body)
        for body in namespaces
        if any(is_match(selector, labels_of(body)) for selector in selectors)
    ]
    listed = sorted({*names, *found})
    notes.append(f"{field}: resolved to {', '.join(listed) or 'no namespace'}; namespaces that "
                 "match later have to be added by hand")  # fmt: skip
    return listed, bool(listed)
