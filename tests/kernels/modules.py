"""The modules of a kernel that the checks need, in the order in which they can be loaded.

A node's kernel loads them by itself when somebody asks for what is in them. That takes a program
and an index, which a machine of a few seconds can do without.
"""

import lzma
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from kernels.debian import Kernel

NEEDED: Final = (
    "veth", "8021q", "bonding", "bridge", "macvlan", "dummy",
    "nf_tables", "nf_conntrack_netlink", "nft_ct", "nft_fib_inet", "nft_chain_nat", "nft_nat",
    "nft_masq", "nft_reject_inet", "nft_numgen", "nft_log", "nft_limit",
    "tcp_diag", "udp_diag", "raw_diag",
)  # fmt: skip
"""What the cards are made of, what the rules of the agent and of the tests use, and what lists
and destroys sockets."""
DEPENDS: Final = re.compile(rb"\0depends=([^\0]*)\0")


def in_order(kernel: Kernel, needed: Iterable[str] = NEEDED) -> dict[str, bytes]:
    """These and what they depend on, each after all of that.

    A kernel may have some of them built in: what it has no file of is left out.
    """
    files, ordered = kernel.modules, dict[str, bytes]()

    def add(name: str) -> None:
        if name in files and name not in ordered:
            module = _content(files[name])
            depends = DEPENDS.search(module)
            for other in (depends[1] if depends else b"").decode().split(","):
                add(other.replace("-", "_"))
            ordered[name] = module

    for name in needed:
        add(name)
    return ordered


def _content(file: Path) -> bytes:
    return lzma.decompress(file.read_bytes()) if file.suffix == ".xz" else file.read_bytes()
