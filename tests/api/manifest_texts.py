"""Texts of manifests: within the schema, and around it, as people get them wrong."""

import random
import string
from collections.abc import Callable
from typing import Final

Rng = random.Random

WORDS: Final = (
    *(
        "a",
        "mail-1",
        "n1",
        "default",
        "eth1",
        "y",
        "no",
        "123",
        "1e3",
        "0x1f",
        "010",
        "1_000",
        "~",
    ),
    *(
        "",
        "true",
        "1:30",
        "2026-11-29",
        "25.0",
        ".5",
        "null",
        "Mail",
        "a b",
        "a_b",
        "-a",
        "a-",
        "a.",
    ),
    *("a..b", "a.b", "é", "x" * 64, "x" * 254, "a/b", "a:b", "eth%d", "lo", ".", "..", "all"),
    *(
        "10.1.1.1",
        "10.1.1.01",
        "fd00::1",
        "FD00::1",
        "fd00:0::1",
        "::ffff:10.1.1.1",
        "fe80::1%eth0",
    ),
    *("127.0.0.1", "224.0.0.1", "255.255.255.255", "0.0.0.0", "::", "::1", "10.1.1.256", "10.1.1"),  # noqa: S104 - a text
    *("10.1.0.0/16", "10.1.1.7/24", "0.0.0.0/0", "127.0.0.0/8", "fd00:1::/64", "10.1.0.0/016"),
    *(
        "10.1.0.0/33",
        "::/0",
        "ff00::/8",
        "10.1.0.0/",
        "/",
        "fd00::/64 ",
        "Segment",
        "Strict",
        "Allow",
    ),
    *(
        "TCP",
        "UDP",
        "tcp",
        "duravip.io/x",
        "example.org/rack",
        "a/b/c",
        "x.y_z",
        "a" * 60 + ".b.c",
    ),
)
ADDRESSES: Final = ("10.1.1.1", "fd00::1", "192.0.2.7")
BLOCKS: Final = ("10.1.0.0/16", "fd00:1::/64", "0.0.0.0/0")
RANGES: Final = (*ADDRESSES, *BLOCKS, "10.1.1.9-10.1.1.20", "fd00::1-fd00::9", "10.1.1.1-",
                 "10.1.1.1-10.1.1.2-10.1.1.3", "10.1.1.1 - 10.1.1.2", "10.1.1.01-10.1.1.2",
                 "fd00::1-FD00::2", "10.1.1.1-10.1.1.0/24", "fd00:0::/64")  # fmt: skip
LABELS: Final = ("a", "example.org/rack", "kubernetes.io/os", "x_y.z")


def text(rng: Rng, number: int) -> str:
    """One document: mostly right, with a fault or two here and there."""
    makers = {"DuraVIP": _duravip, "Binding": _binding, "Topology": _topology,
              "AddressPool": _address_pool}  # fmt: skip
    kind = rng.choice(tuple(makers))
    spec = makers[kind](rng)
    name = _mostly(rng, f"m{number}")
    more = ""
    if rng.random() < 0.1:
        more += f", namespace: {_mostly(rng, 'default')}"
    if rng.random() < 0.2:
        more += f", labels: {_map(rng)}"
    if rng.random() < 0.1:
        more += f", annotations: {_map(rng)}"
    if rng.random() < 0.03:
        more += f", {rng.choice(('strange: 1', 'generation: 3'))}"
    version = "duravip.io/v1alpha1" if rng.random() < 0.99 else "duravip.io/v1"
    head = f"{{apiVersion: {version}, kind: {kind}, metadata: {{name: {name}{more}}}"
    return f"{head}, spec: {spec}}}\n"


def _duravip(rng: Rng) -> str:
    return _fields(
        rng,
        {
            "address": (0.95, lambda: _mostly(rng, rng.choice(ADDRESSES))),
            "enableDuravip": (0.3, lambda: _mostly(rng, rng.choice(("true", "false", "yes")))),
            "preference": (0.3, lambda: _mostly(rng, "n1")),
            "follow": (0.2, lambda: _mostly(rng, rng.choice(("mail-1", "10.1.1.9")))),
            "services": (0.3, lambda: _list(rng, lambda: _service(rng))),
            "nodeSelector": (0.3, lambda: _map(rng)),
        },
    )


def _binding(rng: Rng) -> str:
    return _fields(
        rng,
        {
            "address": (0.8, lambda: _mostly(rng, rng.choice(ADDRESSES))),
            "group": (0.3, lambda: _mostly(rng, "g")),
            "suspend": (0.2, lambda: _mostly(rng, "off")),
            "adaptive": (0.2, lambda: _mostly(rng, "true")),
            "preference": (0.3, lambda: _mostly(rng, "n1")),
            "nodeSelector": (0.3, lambda: _map(rng)),
        },
    )


def _topology(rng: Rng) -> str:
    return _fields(
        rng,
        {
            "cidr": (0.95, lambda: _mostly(rng, rng.choice(BLOCKS))),
            "interface": (0.95, lambda: _mostly(rng, "eth1")),
            "cidrmask": (
                0.2,
                lambda: _mostly(rng, rng.choice(("32", "24", "64", "129", "-1", "16.0"))),
            ),
            "namespaces": (0.2, lambda: _list(rng, lambda: _mostly(rng, "default"))),
            "nodeSelector": (0.2, lambda: _map(rng)),
            "arpAllHosts": (0.2, lambda: _mostly(rng, "n")),
            "arpTargets": (0.2, lambda: _list(rng, lambda: _mostly(rng, "10.1.1.254"))),
            "crossSubnet": (0.2, lambda: _mostly(rng, "Exclude")),
            "fencing": (0.2, lambda: _mostly(rng, "Strict")),
        },
    )


def _address_pool(rng: Rng) -> str:
    return _fields(
        rng,
        {
            "ranges": (0.95, lambda: _list(rng, lambda: _mostly(rng, f"'{rng.choice(RANGES)}'"))),
            "autoAssign": (0.2, lambda: _mostly(rng, "off")),
            "avoidBuggyIPs": (0.2, lambda: _mostly(rng, "true")),
            "namespaces": (0.2, lambda: _list(rng, lambda: _mostly(rng, "default"))),
            "priority": (
                0.2,
                lambda: _mostly(rng, rng.choice(("0", "1000", "1001", "-1", "5.0"))),
            ),
        },
    )


def _service(rng: Rng) -> str:
    return _fields(
        rng,
        {
            "name": (0.95, lambda: _mostly(rng, "smtp")),
            "port": (0.95, lambda: _mostly(rng, rng.choice(("25", "80.0", "1e3", "0", "65536")))),
            "protocol": (0.5, lambda: _mostly(rng, rng.choice(("TCP", "UDP")))),
        },
    )


def _fields(rng: Rng, fields: dict[str, tuple[float, Callable[[], str]]]) -> str:
    there = [f"{name}: {make()}" for name, (often, make) in fields.items() if rng.random() < often]
    if rng.random() < 0.02:
        there.append(f"{rng.choice(('strange', 'Address', '1', 'y'))}: {_word(rng)}")
    return "{" + ", ".join(there) + "}"


def _mostly(rng: Rng, usual: str, seldom: float = 0.07) -> str:
    """The usual word, or any."""
    return _word(rng) if rng.random() < seldom else usual


def _word(rng: Rng) -> str:
    if rng.random() < 0.1:
        return rng.choice(("[]", "{}", "[a]", "{a: b}"))
    word = rng.choice(WORDS)
    if rng.random() < 0.1:
        word = "".join(
            rng.choices(string.ascii_letters + string.digits + "-._/: é", k=rng.randint(1, 9))
        )
    return f'"{word}"' if rng.random() < 0.6 or _needs_quotes(word) else word


def _needs_quotes(word: str) -> bool:
    return (
        not word or word != word.strip() or ": " in word or word[0] in "-:%/." or word[-1] == ":"
    )


def _list(rng: Rng, make: Callable[[], str]) -> str:
    return "[" + ", ".join(make() for _ in range(rng.randint(0, 3))) + "]"


def _map(rng: Rng) -> str:
    pairs = {_mostly(rng, rng.choice(LABELS)): _mostly(rng, "x") for _ in range(rng.randint(0, 3))}
    return "{" + ", ".join(f"{k}: {v}" for k, v in pairs.items() if k[:1] not in "[{") + "}"
