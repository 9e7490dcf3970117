"""One node with a real Postfix, `duravip-mail`, and what stands in for the agent."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import sys
from collections import Counter
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

from lab import processes
from lab.errors import LabError
from lab.layout import Layout
from lab.machines import Machine
from lab.processes import Process, wait_for
from mail.segment import OUTSIDE

PROGRAM: Final = str(Path(sys.executable).with_name("duravip-mail"))
TESTS: Final = Path(__file__).parents[1]
MASTER: Final = "/usr/lib/postfix/sbin/master"
PATIENCE_S: Final = 60.0
"""For what has no deadline of its own: other programs may keep the machine busy."""
MORE_LINES: Final = """\
smtp_host_lookup = native
smtp_dns_support_level = disabled
smtpd_peername_lookup = no
smtpd_client_connection_count_limit = 0
message_size_limit = 52428800
"""


class MailNode:
    """One for a machine and a test: its queue begins empty."""

    def __init__(self, machine: Machine, layout: Layout, tls: Path, bindings: Path) -> None:
        self.machine, self.name = machine, machine.name
        (nic,) = machine.blueprint.nics
        self.address, self.address_v6 = (a.partition("/")[0] for a in nic.addresses)
        self.folder = machine.folder / "mail"
        self._namespace = layout.namespace_file(machine.name)
        self._agent_socket = machine.folder / "agent.sock"
        self._tls, self._bindings = tls, bindings
        self.options: list[str] = []
        """Further options of `duravip-mail`."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        (machine.folder / "more.cf").write_text(MORE_LINES)
        self.postfix: Process | None = None
        self.agent: Process | None = None
        self.sidecar: Process | None = None

    def start(self) -> None:
        """All of it."""
        self.configure()
        self.start_postfix()
        self.start_agent()
        self.start_sidecar()

    def configure(self) -> None:
        """As before Postfix' first start; the usual configuration is made once for a machine."""
        if (self.folder / "spool").exists():
            self.run("configure", *self.options_given())
            return
        options = " ".join([*self.options_given(), self.more()])
        kept = self.machine.folder / f"configured-{blake2b(options.encode()).hexdigest()[:8]}"
        if kept.exists():
            shutil.rmtree(self.folder)
            processes.run(["cp", "-a", str(kept), str(self.folder)])
        else:
            self.run("configure", *self.options_given())
            processes.run(["cp", "-a", str(self.folder), str(kept)])

    def take_disk_of(self, other: "MailNode") -> None:
        """Have the folder of a node that is off, as if its disk were in this one."""
        shutil.rmtree(self.folder)
        other.folder.rename(self.folder)
        other.folder.mkdir()

    def start_postfix(self) -> None:
        """Start the master, and wait until it takes mail."""
        self.postfix = self.machine.spawn([MASTER, "-s", "-c", str(self.folder / "etc")])
        wait_for(lambda: self.is_open(25), "Postfix answers", PATIENCE_S, 0.05)

    def start_agent(self) -> None:
        """What stands in for the agent; it serves nothing yet."""
        argv = [sys.executable, "-m", "mail.agent_stand_in", self.name, "eth1"]
        env = {"PYTHONPATH": str(TESTS)}
        log = self.machine.folder / "stand-in.log"
        self.agent = self.machine.spawn([*argv, str(self._agent_socket)], log, env)
        wait_for(self._can_be_told, "the stand-in listens", PATIENCE_S, 0.05)

    def start_sidecar(self) -> None:
        """`duravip-mail run`, and wait until its tables are true."""
        log = self.machine.folder / "duravip-mail.log"
        argv = [PROGRAM, "run", *self.options_given()]
        self.sidecar = self.machine.spawn(argv, log)
        wait_for(lambda: self._is_ready(self.sidecar), "duravip-mail is ready", PATIENCE_S, 0.05)

    def tell(self, order: str, *addresses: str) -> None:
        """Have the stand-in carry out an order."""
        with socket.socket(socket.AF_UNIX) as orders:
            orders.connect(f"{self._agent_socket}.orders")
            orders.sendall(json.dumps([order, *addresses]).encode() + b"\n")
            assert orders.makefile().readline() == "done\n"

    def kill_postfix(self) -> None:
        """SIGKILL for every process of Postfix at once."""
        wait_for(lambda: not _kill_all_of_postfix(self._namespace), "Postfix is gone", PATIENCE_S)

    def crash(self) -> None:
        """Power off; its disk stays."""
        self.machine.crash()
        self.postfix = self.sidecar = self.agent = None

    def stop(self) -> None:
        """End what a test has left."""
        if not self.machine.is_on:
            self.machine.power_on()
        for program in (self.sidecar, self.agent):
            if program:
                program.kill()
        self.kill_postfix()
        for address in self.plumbed():
            self.machine.attempt(["ip", "addr", "del", address, "dev", "eth1"])

    def plumbed(self) -> list[str]:
        """The addresses of Bindings on its card."""
        found = self.machine.run(["ip", "-o", "addr", "show", "eth1"])
        return re.findall(r"inet6? (\S+/(?:32|128)) ", found)

    def run(self, *words: str) -> str:
        """Run a verb of `duravip-mail` to its end, and give what it printed."""
        return self.machine.run([PROGRAM, *words])

    def mailq(self) -> list[dict[str, Any]]:
        """What `duravip-mail mailq -o json` prints."""
        found: list[dict[str, Any]] = json.loads(self.run("mailq", "-o", "json", *self.places()))
        return found

    def queue(self) -> Counter[str]:
        """How many messages are in each of Postfix' queues."""
        found: Counter[str] = Counter()
        for queue in ("maildrop", "incoming", "active", "deferred", "hold"):
            for folder, _, names in os.walk(self.folder / "spool" / queue):
                found[queue] += sum(_is_whole(Path(folder, name)) for name in names)
        return found

    def is_empty(self) -> bool:
        """Whether no message is left."""
        return not self.queue().total()

    def log(self) -> str:
        """What Postfix has logged."""
        try:
            return (self.folder / "log/maillog").read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def reason(self, tag: str) -> str:
        """What Postfix last said of the mail of somebody `…-TAG-…@`."""
        found = re.findall(rf"to=<[^>]*-{tag}-[^>]*>.*status=(.*)", self.log())
        return str(found[-1]) if found else ""

    def is_open(self, port: int) -> bool:
        """Whether a mail server greets at this port."""
        probe = (
            f"exec 3<>/dev/tcp/127.0.0.1/{port} && read -r -t 2 -N 3 said <&3 && [ $said = 220 ]"
        )
        return self.machine.attempt(["bash", "-c", probe]).returncode == 0

    def table(self, name: str) -> str:
        """The rows of a table, as text."""
        return (self.folder / "etc" / name).read_text()

    def routes(self) -> str:
        """The rows of the table for mail that enters."""
        return self.table("routes")

    def write_table(self, name: str, rows: dict[str, str]) -> None:
        """Write a table behind the program's back, before it starts."""
        path = self.folder / "etc" / name
        path.write_text("".join(f"{key}\t{value}\n" for key, value in rows.items()))
        self.machine.run(["/usr/sbin/postmap", "-c", str(path.parent), f"lmdb:{path}"])

    def plumb(self, address: str) -> None:
        """Have an address without telling anybody."""
        self.machine.run(["ip", "addr", "add", f"{address}/32", "dev", "eth1"])

    def use_tls(self, folder: Path) -> None:
        """Take another certificate, before it starts."""
        self._tls = folder

    def more(self) -> str:
        """The further lines of main.cf."""
        return (self.machine.folder / "more.cf").read_text()

    def metrics(self) -> str:
        """What /metrics shows."""
        return self.machine.run(["curl", "--silent", "http://127.0.0.1:9482/metrics"])

    def places(self) -> list[str]:
        """The options of `mailq` and `rebind`."""
        return ["--folder", str(self.folder), "--bindings-file", str(self._bindings)]

    def edit(self, name: str, old: str, new: str) -> None:
        """Change main.cf or master.cf behind the program's back."""
        path = self.folder / "etc" / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def options_given(self) -> list[str]:
        """The options of `run` and `configure`."""
        given = {
            "node-name": f"{self.name}.example",
            "node-addresses": f"{self.address},{self.address_v6}",
            "folder": self.folder,
            "bindings-file": self._bindings,
            "agent": f"unix:{self._agent_socket}",
            "tls": self._tls,
            "networks": f"{OUTSIDE}/32,127.0.0.0/8",
            "header-trust": f"{OUTSIDE}/32",
            "postfix-file": self.machine.folder / "more.cf",
        }
        return [*(f"--{name}={value}" for name, value in given.items()), *self.options]

    def _can_be_told(self) -> bool:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as orders:
            orders.connect(f"{self._agent_socket}.orders")
            return True
        return False

    def _is_ready(self, sidecar: Process | None) -> bool:
        assert sidecar
        if not sidecar.is_running:
            raise LabError(f"duravip-mail has ended: {sidecar.output()}")
        return "the tables are true" in sidecar.output()


def _kill_all_of_postfix(namespace: Path) -> bool:
    """Whether there was one: a master that lives for a moment more may have started others."""
    found = [pid for pid in processes.in_namespace(namespace) if _is_postfix(pid)]
    for pid in found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return bool(found)


def _is_postfix(pid: int) -> bool:
    try:
        return str(Path(f"/proc/{pid}/exe").readlink()).startswith("/usr/lib/postfix/")
    except OSError:
        return False


def _is_whole(path: Path) -> bool:
    """Others are leftovers of killed processes."""
    try:
        return bool(path.stat().st_mode & 0o100)
    except OSError:
        return False
