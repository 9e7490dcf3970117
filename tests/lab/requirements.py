"""What a lab needs of this machine; what is missing and can be installed, is."""

import os
import platform
import re
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from lab import programs
from lab.errors import LabError
from lab.processes import attempt

OLDEST_KERNEL: Final = (5, 16)
"""The agent's rules on a card's egress need it."""

POSTFIX: Final = "postfix"
API: Final = {
    "bash": "bash",
    "curl": "curl",
    "hostname": "hostname",
    "ip": "iproute2",
    "mount": "mount",
    "nft": "nftables",
    "nsenter": "util-linux",
    "openssl": "openssl",
    "ping": "iputils-ping",
    "sysctl": "procps",
    "tcpdump": "tcpdump",
    "unshare": "util-linux",
}
"""The program or file that is needed, and Debian's package that has it."""
FULL: Final = API | {
    "/usr/bin/python3": "python3",  # what the images are made of
    "/usr/sbin/haproxy": "haproxy",  # for the example of a hook
    "/usr/lib/cni/ptp": "containernetworking-plugins",
    "conntrack": "conntrack",
    "containerd": "containerd",
    "ctr": "containerd",
    "iptables": "iptables",
    "runc": "runc",
    "socat": "socat",
}
MAIL: Final = API | {
    "/usr/lib/postfix/sbin/master": POSTFIX,
    "/usr/lib/postfix/postfix-lmdb.so": "postfix-lmdb",
}
DOCKER: Final = API | {
    "/usr/share/keyrings/debian-archive-keyring.gpg": "debian-archive-keyring",
    "containerd": "containerd",
    "debootstrap": "debootstrap",
    "runc": "runc",
    "slirp4netns": "slirp4netns",
}
"""docker itself is unpacked, and not installed."""
IMAGES: Final = DOCKER | {"buildah": "buildah", "skopeo": "skopeo"}
KIND: Final = DOCKER | {
    "/usr/bin/python3": "python3",  # what the images are made of
    "iptables": "iptables",
}
PAGE: Final = API | {
    "/usr/bin/chromedriver": "chromium-driver",
    "/usr/bin/chromium": "chromium",
    "npm": "npm",  # brings axe-core
}
BENCH: Final = API | {"/usr/sbin/keepalived": "keepalived"}
"""Debian starts no keepalived where there is no configuration of one."""
KERNELS: Final = API | {
    "/usr/bin/python3": "python3",  # what the images are made of
    "/usr/sbin/conntrack": "conntrack",
    "/usr/share/keyrings/debian-archive-keyring.gpg": "debian-archive-keyring",
    "qemu-system-x86_64": "qemu-system-x86",
}
BY_SIZE: Final = {
    "api": API,
    "full": FULL,
    "mail": MAIL,
    "images": IMAGES,
    "kind": KIND,
    "page": PAGE,
    "bench": BENCH,
    "kernels": KERNELS,
}

POSTFIX_ANSWERS: Final = "postfix postfix/main_mailer_type select No configuration\n"
"""Without /etc/postfix/main.cf neither Debian's unit nor its script starts a mail server."""

Say = Callable[[str], None]


def ensure(size: str, say: Say = print) -> None:
    """Make this machine fit for a lab of that size; LabError names what cannot be had."""
    check_machine()
    missing = packages(BY_SIZE[size])
    if missing:
        install(missing, say)
    still = packages(BY_SIZE[size])
    if still:
        raise LabError(f"a lab of size {size} needs {', '.join(still)}: install by hand")
    programs.go_version()


def check_machine() -> None:
    """Refuse what no package can mend."""
    if platform.system() != "Linux":
        raise LabError(f"a lab needs Linux, and this is {platform.system()}")
    release = re.match(r"(\d+)\.(\d+)", platform.release())
    if release and (int(release[1]), int(release[2])) < OLDEST_KERNEL:
        wanted = ".".join(map(str, OLDEST_KERNEL))
        raise LabError(f"a lab needs Linux {wanted} or newer, and this is {platform.release()}")
    if os.geteuid() != 0:
        raise LabError("a lab needs root, to make namespaces: use sudo")


def packages(needs: dict[str, str]) -> list[str]:
    """The packages whose programs are not all here."""
    return sorted({package for need, package in needs.items() if not _is_here(need)})


def install(missing: Iterable[str], say: Say) -> None:
    """Install packages by apt-get, as far as that goes; the caller looks at what came of it."""
    if not shutil.which("apt-get"):
        raise LabError(f"cannot install {', '.join(missing)}: there is no apt-get here")
    say(f"installing {' '.join(missing)}")
    quiet = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "--quiet", "--yes"]
    attempt([*quiet, "update"], timeout=300)
    if POSTFIX in missing:
        attempt(["debconf-set-selections"], POSTFIX_ANSWERS)
    # Another mail server is not replaced by ours: then there is an error instead.
    options = ["--no-install-recommends", "--no-remove"]
    done = attempt([*quiet, "install", *options, *missing], timeout=900)
    if POSTFIX in missing:
        attempt(["update-rc.d", "postfix", "disable"])
    if done.returncode:
        complaints = [line for line in done.stderr.splitlines() if line.startswith("E: ")]
        raise LabError(f"cannot install {', '.join(missing)}: {' '.join(complaints)}")


def _is_here(need: str) -> bool:
    return Path(need).exists() if need.startswith("/") else shutil.which(need) is not None
