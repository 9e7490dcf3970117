"""Which modules a virtual machine loads, and in which order."""

import lzma
from pathlib import Path

from kernels.debian import Kernel
from kernels.modules import in_order


def test_a_module_comes_after_all_that_it_depends_on(tmp_path: Path) -> None:
    folder = tmp_path / "usr/lib/modules/6.1/kernel/net"
    folder.mkdir(parents=True)
    bonding = b"x\0license=GPL\0depends=tls,nf-tables\0name=bonding\0"
    (folder / "bonding.ko").write_bytes(bonding)
    (folder / "tls.ko.xz").write_bytes(lzma.compress(b"\0depends=\0"))
    (folder / "nf-tables.ko").write_bytes(b"\0depends=tls\0")
    ordered = in_order(Kernel("6.1", tmp_path), ["built_in", "bonding", "tls"])
    assert list(ordered) == ["tls", "nf_tables", "bonding"]
    assert ordered["tls"] == b"\0depends=\0"
    assert ordered["bonding"] == bonding
