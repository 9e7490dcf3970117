"""The CEL rules of the CRDs, as Python says them: by the rule's own text.

The schema carries the rules and what a refused user reads; only whether one holds is worked out
here. A test fails when a rule of the schema is missing.
"""

import re
from collections.abc import Callable
from ipaddress import IPv4Address, ip_network
from typing import Any, Final

from duravip_api.addresses import block, parsed
from duravip_api.fields import LONGEST_LABEL, LONGEST_SELECTOR

_NODE_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")


def _is_ip(value: Any) -> bool:
    try:
        parsed(value)
    except ValueError:
        return False
    return True


def _is_address_range(value: Any) -> bool:
    parts = value.split("-")
    return len(parts) <= 2 and all(map(_is_ip, parts))  # noqa: PLR2004 - first and last


def _is_cidr(value: Any) -> bool:
    try:
        ip_network(value, strict=False)
    except ValueError:
        return False
    return "/" in value


def _is_canonical(value: Any) -> bool:
    return not _is_ip(value) or str(parsed(value)) == value


def _is_global_unicast(value: Any) -> bool:
    """As Go has it: private addresses are."""
    if not _is_ip(value):
        return True
    found = parsed(value)
    return not (
        found.is_multicast
        or found.is_loopback
        or found.is_unspecified
        or found.is_link_local
        or found == IPv4Address("255.255.255.255")
    )


def _is_masked(value: Any) -> bool:
    found = block(value)
    return not _is_cidr(value) or (found is not None and str(found) == value)


def _mask_is_within(spec: Any) -> bool:
    found = block(str(spec.get("cidr")))
    return "cidrmask" not in spec or found is None or spec["cidrmask"] >= found.prefixlen


def _mask_fits(spec: Any) -> bool:
    found = block(str(spec.get("cidr")))
    return "cidrmask" not in spec or found is None or spec["cidrmask"] <= found.max_prefixlen


RULES: Final[dict[str, Callable[[Any], bool]]] = {
    "isIP(self)": _is_ip,
    "!isIP(self) || ip.isCanonical(self)": _is_canonical,
    "!isIP(self) || ip(self).isGlobalUnicast()": _is_global_unicast,
    "self.split('-').size() <= 2 && self.split('-').all(part, isIP(part))": _is_address_range,
    "isCIDR(self)": _is_cidr,
    "!isCIDR(self) || string(cidr(self).masked()) == self": _is_masked,
    "self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')": lambda v: bool(_NODE_NAME.fullmatch(v)),
    f"self.all(key, size(key) <= {LONGEST_LABEL})": lambda labels: all(
        len(key) <= LONGEST_LABEL for key in labels
    ),
    f"self.map(key, size(key) + size(self[key])).sum() <= {LONGEST_SELECTOR}": lambda labels: (
        sum(len(key) + len(value) for key, value in labels.items()) <= LONGEST_SELECTOR
    ),
    "self.metadata.name != 'default'": lambda body: body["metadata"]["name"] != "default",
    "!(has(self.follow) && has(self.preference))": lambda spec: (
        not ("follow" in spec and "preference" in spec)
    ),
    "!(has(self.follow) && has(self.enableDuravip) && self.enableDuravip)": lambda spec: (
        not ("follow" in spec and spec.get("enableDuravip"))
    ),
    "!has(self.follow) || self.follow != self.address": lambda spec: (
        "follow" not in spec or spec["follow"] != spec.get("address")
    ),
    "!has(self.cidrmask) || !isCIDR(self.cidr) || cidr(self.cidr).ip().family() == 6 "
    "|| self.cidrmask <= 32": _mask_fits,
    "!has(self.cidrmask) || !isCIDR(self.cidr) "
    "|| self.cidrmask >= cidr(self.cidr).prefixLength()": _mask_is_within,
}
"""`{rule: whether it holds of a value that has the right type}`."""
