"""The CEL rules of the CRDs in Python, by the text of the rule.

The schema has the rules and their messages; here each is evaluated. A test fails when a rule of
the schema is missing.
"""

import re
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import Any, Final, get_args

from pydantic.fields import FieldInfo

from duravip_api.addresses import parse_address, parse_network
from duravip_api.checks import (
    CheckDuration,
    CheckHost,
    CheckPath,
    StatusRange,
    is_check_duration,
    is_check_host,
    is_check_path,
    is_status_range,
)
from duravip_api.fields import (
    LONGEST_LABEL,
    LONGEST_SELECTOR,
    Failback,
    Leader,
    NamespaceName,
    NodeName,
    PoolRange,
    SegmentInterface,
    Selector,
    failback_delay,
)

_LABEL: Final = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_DNS_LABEL: Final = re.compile(_LABEL)
_SUBDOMAIN: Final = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_QUALIFIED: Final = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_NOT_IN_INTERFACE_NAME: Final = re.compile(r"[\t\n\f\r /:%\x00-\x1f\x7f]")
_MAX_INTERFACE_LENGTH: Final = 15
_MAX_DOMAIN_LENGTH: Final = 253


def _is_ip(value: Any) -> bool:
    """As Go's netip reads it, without zones and IPv4-mapped addresses."""
    try:
        address = parse_address(value)
    except ValueError:
        return False
    return "%" not in value and not (isinstance(address, IPv6Address) and address.ipv4_mapped)


def _is_cidr(value: Any) -> bool:
    address, slash, prefix = value.partition("/")
    if not slash or not _is_ip(address) or not (prefix.isascii() and prefix.isdigit()):
        return False
    is_plain = prefix == "0" or not prefix.startswith("0")
    return is_plain and int(prefix) <= parse_address(address).max_prefixlen


def is_subdomain(value: Any) -> bool:
    """Whether it is a DNS subdomain (RFC 1123), as most names of objects are."""
    return bool(_SUBDOMAIN.fullmatch(value)) and len(value) <= _MAX_DOMAIN_LENGTH


def is_dns_label(value: Any) -> bool:
    """Whether it is a DNS label (RFC 1123)."""
    return bool(_DNS_LABEL.fullmatch(value))


def is_label(key: str, value: str) -> bool:
    """Whether a Node can have this label."""
    prefix, slash, name = key.rpartition("/")
    is_key = bool(_QUALIFIED.fullmatch(name)) and (not slash or is_subdomain(prefix))
    return is_key and (not value or bool(_QUALIFIED.fullmatch(value)))


def _holds_host_addresses(spec: Any) -> bool:
    cidr = spec.get("cidr", "")
    if not _is_cidr(cidr):
        return True
    first = cidr.partition("/")[0]
    return parse_address(first).is_unspecified or _is_global_unicast(first)


def _is_global_unicast(value: Any) -> bool:
    """As Go defines it: private addresses are global unicast."""
    if not _is_ip(value):
        return True
    address = parse_address(value)
    return not (
        address.is_multicast
        or address.is_loopback
        or address.is_unspecified
        or address.is_link_local
        or address == IPv4Address("255.255.255.255")
    )


def _is_failback(value: Any) -> bool:
    try:
        failback_delay(value)
    except ValueError:
        return False
    return True


def _mask_is_within(spec: Any) -> bool:
    network = parse_network(str(spec.get("cidr")))
    return "cidrmask" not in spec or network is None or spec["cidrmask"] >= network.prefixlen


def _mask_fits(spec: Any) -> bool:
    network = parse_network(str(spec.get("cidr")))
    return "cidrmask" not in spec or network is None or spec["cidrmask"] <= network.max_prefixlen


def rule_of(field: Any, number: int) -> str:
    """The text of a field's rule, so that long patterns are not written twice."""
    (info,) = [part for part in get_args(field)[1:] if isinstance(part, FieldInfo)]
    extra = info.json_schema_extra
    assert isinstance(extra, dict)  # noqa: S101 - for mypy
    validations: Any = extra["x-kubernetes-validations"]
    return str(validations[number]["rule"])


RULES: Final[dict[str, Callable[[Any], bool]]] = {
    "isIP(self)": _is_ip,
    "!isIP(self) || ip.isCanonical(self)": lambda v: not _is_ip(v) or str(parse_address(v)) == v,
    "!isIP(self) || ip(self).isGlobalUnicast()": _is_global_unicast,
    "self.split('-').size() <= 2 && self.split('-').all(part, isIP(part))": lambda v: (
        v.count("-") <= 1 and all(map(_is_ip, v.split("-")))
    ),
    rule_of(PoolRange, 0): lambda v: (
        _is_ip(v) or _is_cidr(v) or (v.count("-") == 1 and all(map(_is_ip, v.split("-"))))
    ),
    "isCIDR(self)": _is_cidr,
    "!isCIDR(self) || string(cidr(self).masked()) == self": lambda v: (
        not _is_cidr(v) or str(ip_network(v, strict=False)) == v
    ),
    f"self.all(key, size(key) <= {LONGEST_LABEL})": lambda labels: all(
        len(key) <= LONGEST_LABEL for key in labels
    ),
    f"self.map(key, size(key) + size(self[key])).sum() <= {LONGEST_SELECTOR}": lambda labels: (
        sum(len(key) + len(value) for key, value in labels.items()) <= LONGEST_SELECTOR
    ),
    rule_of(NodeName, 0): is_subdomain,
    rule_of(Leader, 0): lambda v: _is_ip(v) or is_subdomain(v),
    rule_of(Leader, 2): lambda v: v != "default",
    rule_of(NamespaceName, 0): is_dns_label,
    rule_of(Failback, 0): _is_failback,
    rule_of(SegmentInterface, 0): lambda v: (
        not _NOT_IN_INTERFACE_NAME.search(v) and len(v.encode()) <= _MAX_INTERFACE_LENGTH
    ),
    rule_of(SegmentInterface, 1): lambda v: v not in {".", "..", "all", "default", "lo"},
    rule_of(Selector, 2): lambda labels: all(
        len(key) > LONGEST_LABEL or is_label(key, value) for key, value in labels.items()
    ),
    "!isCIDR(self.cidr) || cidr(self.cidr).ip().isGlobalUnicast() || "
    "cidr(self.cidr).ip().isUnspecified()": _holds_host_addresses,
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
    "has(self.endpointsOf) || has(self.listening) && self.listening || "
    "has(self.check)": lambda readiness: (
        not readiness.keys().isdisjoint({"endpointsOf", "check"})
        or bool(readiness.get("listening"))
    ),
    "has(self.tcp) != has(self.http)": lambda check: ("tcp" in check) != ("http" in check),
    rule_of(CheckDuration, 0): is_check_duration,
    rule_of(CheckPath, 0): is_check_path,
    rule_of(CheckHost, 0): is_check_host,
    rule_of(StatusRange, 0): is_status_range,
    "!has(self.readiness) || !has(self.readiness.listening) || "
    "!self.readiness.listening || has(self.services) && self.services.size() > 0": lambda spec: (
        not (spec.get("readiness") or {}).get("listening") or bool(spec.get("services"))
    ),
    "(has(self.interface) ? 1 : 0) + (has(self.interfaces) ? 1 : 0) "
    "+ (has(self.bySubnet) && self.bySubnet ? 1 : 0) == 1": lambda spec: (
        ("interface" in spec) + ("interfaces" in spec) + bool(spec.get("bySubnet")) == 1
    ),
    "self.all(name, self.exists_one(other, other == name))": lambda names: (
        len(set(names)) == len(names)
    ),
    "!has(self.cidrmask) || !isCIDR(self.cidr) || cidr(self.cidr).ip().family() == 6 "
    "|| self.cidrmask <= 32": _mask_fits,
    "!has(self.cidrmask) || !isCIDR(self.cidr) "
    "|| self.cidrmask >= cidr(self.cidr).prefixLength()": _mask_is_within,
}
"""`{rule: function}`; each function gets a value of the right type."""
