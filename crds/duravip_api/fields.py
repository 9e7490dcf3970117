"""The types that the fields of all kinds are made of: each carries its limits and its CEL rule."""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from duravip_api.addresses import LONGEST_ITEM


class ApiModel(BaseModel):
    """A part of an object: snake_case here, camelCase in the API.

    Unknown fields are ignored: an object written by a newer version stays readable.
    """

    model_config = ConfigDict(
        alias_generator=to_camel, validate_by_name=True, validate_by_alias=True, extra="ignore"
    )


def rules(*pairs: tuple[str, str]) -> dict[str, Any]:
    """CEL rules for a field or a model, each with the message that a refused user reads."""
    return {"x-kubernetes-validations": [{"rule": rule, "message": say} for rule, say in pairs]}


ATOMIC: dict[str, Any] = {"x-kubernetes-list-type": "atomic"}
"""One writer replaces the whole list; per-item ownership costs 5-8 times the server's time."""


def atomic(most: int, description: str) -> Any:
    """An atomic list of at most so many items."""
    return Field(max_length=most, description=description, json_schema_extra=ATOMIC)


def limited(most: int, *pairs: tuple[str, str], least: int | None = None) -> Any:
    """A limit of the length, and CEL rules."""
    return Field(min_length=least, max_length=most, json_schema_extra=rules(*pairs))


SCHEMALESS = {"x-kubernetes-preserve-unknown-fields": True}
"""The API server takes the field as it is, without a look at each item. It would look at all of
them with every write of the object, whoever writes what: 4000 cost it 20 ms of 50."""


def list_map_keys(*keys: str) -> dict[str, Any]:
    """A list in which every item is found by these fields (which must be required)."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(keys)}


_IS_ADDRESS = "isIP(self)", "must be an IPv4 or IPv6 address without a prefix, e.g. 10.1.1.1"
_CANONICAL = (
    "!isIP(self) || ip.isCanonical(self)",
    "must be in canonical form, e.g. 10.1.1.1 or fd00::1: no leading zeros, lower case, "
    "IPv6 as short as it can be",
)

Address = Annotated[str, limited(45, _IS_ADDRESS, _CANONICAL)]
"""An IPv4 or IPv6 address, in canonical form."""

VirtualAddress = Annotated[
    str,
    limited(
        45,
        _IS_ADDRESS,
        _CANONICAL,
        (
            "!isIP(self) || ip(self).isGlobalUnicast()",
            "must be an address that one host can hold: not multicast, loopback, link-local, "
            "broadcast or unspecified",
        ),
    ),
]
"""An address that can move between hosts."""

AddressRange = Annotated[str, Field(min_length=2, max_length=LONGEST_ITEM)]
"""One address, `first-last`, or several of those as `addresses.grouped` writes them."""

ReservedAddresses = Annotated[
    str,
    limited(
        91,
        (
            "self.split('-').size() <= 2 && self.split('-').all(part, isIP(part))",
            "must be an address or a range of two, e.g. 10.1.1.1 or 10.1.1.1-10.1.1.9",
        ),
        least=2,
    ),
]
"""One address, or all from one to another."""

Cidr = Annotated[
    str,
    limited(
        49,
        ("isCIDR(self)", "must be a network block, e.g. 10.1.1.0/24 or fd00:1::/64"),
        (
            "!isCIDR(self) || string(cidr(self).masked()) == self",
            "must have no bits set after its prefix and be in canonical form, "
            "e.g. 10.1.1.0/24, not 10.1.1.7/24",
        ),
    ),
]
"""A network block without host bits."""

PoolRange = Annotated[
    str,
    limited(
        79,
        (
            "isIP(self) || isCIDR(self) || "
            "self.split('-').size() == 2 && self.split('-').all(part, isIP(part))",
            "must be an address, a range of two or a block, e.g. 10.1.1.50-10.1.1.99",
        ),
        (
            "!isCIDR(self) || string(cidr(self).masked()) == self",
            "must have no bits set after its prefix and be in canonical form, "
            "e.g. 10.1.1.0/24, not 10.1.1.7/24",
        ),
        _CANONICAL,
        least=2,
    ),
]
"""One address, all from one to another, or a block."""

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
"""RFC 1123, section 2.1, as Kubernetes reads it."""
_SUBDOMAIN = rf"{_LABEL}(\\.{_LABEL})*"
_QUALIFIED = "[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"

NodeName = Annotated[
    str,
    limited(
        253,
        (
            f"self.matches('^{_SUBDOMAIN}$')",
            "must be the name of a Node: lower-case letters, digits and '-', in parts that "
            "'.' divides, each with a letter or digit at its ends",
        ),
        least=1,
    ),
]

Leader = Annotated[
    str,
    limited(
        253,
        (
            f"isIP(self) || self.matches('^{_SUBDOMAIN}$')",
            "must be the name of a Binding, or an address, e.g. mail-1 or 10.1.1.1",
        ),
        _CANONICAL,
        ("self != 'default'", "no Binding can have the name 'default'"),
        least=1,
    ),
]
"""What an address follows: a Binding's name, or an address."""

NamespaceName = Annotated[
    str,
    limited(
        63,
        (
            f"self.matches('^{_LABEL}$')",
            "must be the name of a namespace: lower-case letters, digits and '-'",
        ),
        least=1,
    ),
]

ServiceName = Annotated[
    str,
    Field(
        min_length=1,
        max_length=63,
        json_schema_extra=rules(
            (
                f"self.matches('^{_LABEL}$')",
                "must be the name of a Service: lower-case letters, digits and '-'",
            ),
        ),
    ),
]

InterfaceName = Annotated[str, Field(min_length=1, max_length=15)]

SegmentInterface = Annotated[
    str,
    limited(
        15,
        (
            r"!self.matches('[\\s/:%\\x00-\\x1f\\x7f]') && size(bytes(self)) <= 15",
            "must be a name that an interface can have: at most 15 bytes, without spaces, "
            "'/', ':' and '%'",
        ),
        (
            "!(self in ['.', '..', 'all', 'default', 'lo'])",
            "must be an interface on a segment: no card can be called '.', '..', 'all' or "
            "'default', and 'lo' reaches nobody",
        ),
        least=1,
    ),
]
"""The name of a card that virtual addresses can be on; see dev_valid_name() in Linux."""

Mask = Annotated[int, Field(ge=0, le=128)]
LONGEST_LABEL = 317
"""Characters of a label's key: a prefix of 253, a slash and a name of 63."""
LONGEST_SELECTOR = 2048
"""Characters of all labels of a selector together: there may be one for each address."""


def _bounded(labels: dict[str, str]) -> dict[str, str]:
    if sum(len(key) + len(value) for key, value in labels.items()) > LONGEST_SELECTOR:
        raise ValueError(f"must have at most {LONGEST_SELECTOR} characters in all")
    return labels


_A_KEY = rf"^({_SUBDOMAIN}/)?{_QUALIFIED}$"
_A_LABEL = (
    f"self.all(key, size(key) > {LONGEST_LABEL} || key.matches('{_A_KEY}') && "
    f"key.indexOf('/') <= 253 && self[key].matches('^({_QUALIFIED})?$'))",
    "must be labels that a Node can have: a key is letters, digits, '-', '_' and '.', maybe after "
    "a domain and '/', e.g. example.org/rack; so is a value, without a domain, or empty",
)

_NODE_NAME, _LABEL_KEY, _LABEL_VALUE = (
    re.compile(pattern.replace(r"\\.", r"\."), re.ASCII)
    for pattern in (_SUBDOMAIN, f"({_SUBDOMAIN}/)?{_QUALIFIED}", f"({_QUALIFIED})?")
)
"""The same as the rules' patterns, which CEL wants with their backslashes doubled."""


def is_node_name(text: str) -> bool:
    """Whether a Node can have this name, as the rule of `NodeName` says."""
    return len(text) <= 253 and _NODE_NAME.fullmatch(text) is not None  # noqa: PLR2004 - RFC 1123


def is_label(key: str, value: str) -> bool:
    """Whether a Node can have this label, as the rules of `Selector` say."""
    return (
        len(key) <= LONGEST_LABEL
        and key.find("/") <= 253  # noqa: PLR2004 - RFC 1123
        and _LABEL_KEY.fullmatch(key) is not None
        and _LABEL_VALUE.fullmatch(value) is not None
    )


Selector = Annotated[
    dict[Annotated[str, Field(max_length=LONGEST_LABEL)], Annotated[str, Field(max_length=63)]],
    limited(
        32,
        (
            f"self.all(key, size(key) <= {LONGEST_LABEL})",
            f"the key of a label has at most {LONGEST_LABEL} characters",
        ),
        (
            f"self.map(key, size(key) + size(self[key])).sum() <= {LONGEST_SELECTOR}",
            f"must have at most {LONGEST_SELECTOR} characters in all",
        ),
        _A_LABEL,
    ),
    AfterValidator(_bounded),
]

_DURATION_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
DURATION_PATTERN = r"([0-9]{1,6}(ms|s|m|h)){1,4}"
"""Go's durations without fractions and signs: what people write in Kubernetes manifests."""


def parse_duration(text: str) -> float:
    """The duration in seconds; ValueError if it is none."""
    if not re.fullmatch(DURATION_PATTERN, text, re.ASCII):
        raise ValueError(f"{text!r} is not a duration, e.g. 500ms, 30s or 1h30m")
    parts = re.findall(r"([0-9]+)(ms|s|m|h)", text)
    return sum(int(number) * _DURATION_UNITS[unit] for number, unit in parts)


def failback_delay(failback: str) -> float:
    """Seconds for which a preferred node must be well: 0 for Always, infinite for Never.

    ValueError if it is neither of the words and no duration.
    """
    words = {"Always": 0.0, "Never": float("inf")}
    return words[failback] if failback in words else parse_duration(failback)


def _checked_failback(failback: str) -> str:
    failback_delay(failback)
    return failback


Failback = Annotated[
    str,
    Field(
        max_length=32,
        json_schema_extra=rules(
            (
                f"self in ['Always', 'Never'] || self.matches('^{DURATION_PATTERN}$')",
                "must be Always, Never or a duration: whole numbers with ms, s, m or h, e.g. 5m",
            ),
        ),
    ),
    AfterValidator(_checked_failback),
]
"""When a preferred node takes its address back."""

Timestamp = Annotated[str, Field(max_length=32, json_schema_extra={"format": "date-time"})]
Message = Annotated[str, Field(max_length=1024)]
