"""The addresses of a soak test: DuraVIPs and Bindings as users write them, edited by chance."""

from collections.abc import Mapping
from ipaddress import ip_address
from random import Random
from typing import Any, Final

from api.objects import apply, binding, duravip, topology
from lab.cluster import Lab

NODES: Final = ("n1", "n2", "n3")
FIRST: Final = {4: int(ip_address("10.1.64.1")), 6: int(ip_address("fd00:1::64:1"))}
POOL: Final = 8000
"""So many addresses of each family are used in turn before the first one is used again."""
CYCLE: Final = 20
"""So many objects have all kinds among them: plain, preferring, IPv6, Bindings, a follower."""

Body = dict[str, Any]


class Objects:
    """What users have asked for, and the next thing that they do."""

    def __init__(self, lab: Lab, rng: Random) -> None:
        self._lab = lab
        self._rng = rng
        self._made = 0
        self._used = {4: 0, 6: 0}
        self.bodies: dict[str, Body] = {}
        """By name."""

    @property
    def addresses(self) -> list[str]:
        """All that shall be served, in the order in which they were asked for."""
        return [str(body["spec"]["address"]) for body in self.bodies.values()]

    def create(self, count: int) -> None:
        """Ask for so many addresses more."""
        made = [self._next() for _ in range(count)]
        apply(self._lab, made)
        self.bodies |= {body["metadata"]["name"]: body for body in made}

    def create_topologies(self) -> None:
        """One block of each family, on the same interface."""
        apply(self._lab, [topology(), topology("lan6", "fd00:1::/64")])

    def delete(self, count: int) -> None:
        """Delete so many, but nothing that something follows."""
        free = [name for name, body in self.bodies.items() if body["kind"] == "DuraVIP"]
        names = self._rng.sample(free, count)
        self._lab.kubectl("delete", "duravips", *names)
        for name in names:
            del self.bodies[name]

    def edit_addresses(self, count: int) -> None:
        """Give so many of them another address."""
        chosen = self._some(count)
        for body in chosen:
            version = ip_address(body["spec"]["address"]).version
            body["spec"]["address"] = self._address(version)
        apply(self._lab, chosen)

    def edit_preferences(self, count: int) -> None:
        """Let so many of them prefer another node, or none."""
        chosen = [body for body in self._some(count) if "follow" not in body["spec"]]
        for body in chosen:
            body["spec"].pop("preference", None)
            if wanted := self._rng.choice(("", *NODES)):
                body["spec"]["preference"] = wanted
        if chosen:
            apply(self._lab, chosen)

    def wrongs(self, owners: Mapping[str, str]) -> list[str]:
        """What is not as it was asked for, where these own the addresses."""
        found = [
            f"{address} is owned by {owner}, and nobody asked for it"
            for address, owner in owners.items()
            if owner and address not in set(self.addresses)
        ]
        for name, body in self.bodies.items():
            spec = body["spec"]
            owner, wanted = owners.get(spec["address"], ""), spec.get("preference", "")
            if leader := self.bodies.get(spec.get("follow", "")):
                wanted = owners.get(leader["spec"]["address"], "")
            if not owner or (wanted and owner != wanted):
                found.append(
                    f"{name}, {spec['address']}: {owner or 'nobody'}, not {wanted or 'a node'}"
                )
        return found

    def _some(self, count: int) -> list[Body]:
        return [self.bodies[name] for name in self._rng.sample(list(self.bodies), count)]

    def _next(self) -> Body:
        index, self._made = self._made, self._made + 1
        place, name = index % CYCLE, f"soak-{index:05}"
        preference = {"preference": NODES[index % len(NODES)]}
        if place == CYCLE - 1:  # the one before it is a Binding
            return duravip(name, self._address(4), follow=f"soak-{index - 1:05}")
        if place in {CYCLE - 3, CYCLE - 2}:
            return binding(name, self._address(4), **(preference if index % 2 else {}))
        version = 6 if place in {10, 11, 12, 13} else 4
        return duravip(name, self._address(version), **(preference if place % 3 == 0 else {}))

    def _address(self, version: int) -> str:
        number, self._used[version] = self._used[version], (self._used[version] + 1) % POOL
        return str(ip_address(FIRST[version] + number))
