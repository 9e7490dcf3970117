"""The host outside: injects mail, and takes what is delivered, noting from which address."""

import sys
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from lab.machines import Machine
from lab.processes import Process, wait_for
from mail.mail_node import PATIENCE_S
from mail.segment import OUTSIDE, OUTSIDE_V6

TRUSTED: Final = 2525
SENDER: Final = "a@sender.example"


class Taken(NamedTuple):
    """One delivery."""

    client: str
    recipient: str


class Verdict(NamedTuple):
    """What became of messages: all counts."""

    delivered: int
    """Recipients who got theirs at least once."""
    twice: int
    """Deliveries more than one for each of them."""
    sources: frozenset[str]
    """The addresses that they came from."""


class Outside:
    """One for a test."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self._dump = machine.folder / "taken"
        self._dump.unlink(missing_ok=True)
        self._sink: Process | None = None

    def take(self, *, defer: bool = False, v6: bool = False) -> None:
        """Take mail from now on, or put it off (4xx)."""
        self.close()
        where = f"[{OUTSIDE_V6}]:25" if v6 else f"{OUTSIDE}:25"
        what = ["-r", "rcpt"] if defer else ["-D", str(self._dump)]
        options = ["-u", "root", "-c", "-m", "400", *(["-6"] if v6 else []), *what]
        log = self.machine.folder / "smtp-sink.log"
        self._sink = self.machine.spawn(["/usr/sbin/smtp-sink", *options, where, "400"], log)
        host = OUTSIDE_V6 if v6 else OUTSIDE
        wait_for(lambda: self._is_open(host), "the sink listens", PATIENCE_S, 0.05)

    def close(self) -> None:
        """Take nothing any more."""
        if self._sink:
            self._sink.kill()
            self._sink = None

    def send(
        self,
        to: str,
        tag: str,
        *,
        binding: str = "",
        count: int = 1,
        text: str = "",
        port: int = TRUSTED,
        sender: str = SENDER,
        domain: str = f"[{OUTSIDE}]",
        sessions: int = 10,
    ) -> None:
        """Inject messages, each for somebody `…-TAG-…@`; `text` is all of one, with its header.

        Postfix up to 3.8 puts a number before it, and later versions behind it.
        """
        field = f"X-DuraVIP-Binding: {binding}\n" if binding else ""
        body = self.machine.folder / f"message-{tag}"
        body.write_text(text or f"{field}Subject: test\nFrom: {sender}\n\nhello\n")
        words = ["-s", str(min(sessions, count)), "-m", str(count), "-N", "-F", str(body)]
        envelope = ["-f", sender, "-t", f"to-{tag}-@{domain}", f"inet:{to}:{port}"]
        self.machine.run(["/usr/sbin/smtp-source", *words, *envelope], timeout=120)

    def send_to_all(self, to: str, recipients: Sequence[str], *, binding: str) -> None:
        """Inject one message for all of these."""
        body = f"X-DuraVIP-Binding: {binding}\nSubject: test\n\nhello\n"
        talk = (
            "import smtplib, sys; to, *who = sys.argv[1:]; "
            f"smtplib.SMTP(to, {TRUSTED}, timeout=20).sendmail({SENDER!r}, who, {body!r})"
        )
        self.machine.run([sys.executable, "-c", talk, to, *recipients])

    def refusal(self, to: str, *, sender: str = SENDER, port: int = 25) -> str:
        """What a message is refused with."""
        envelope = ["-f", sender, "-t", f"x@[{OUTSIDE}]", f"inet:{to}:{port}"]
        done = self.machine.attempt(["/usr/sbin/smtp-source", "-m", "1", *envelope])
        assert done.returncode
        return done.stderr

    def taken(self, tag: str = "") -> list[Taken]:
        """All deliveries, or those to recipients with this tag."""
        found, client = [], ""
        try:
            lines = self._dump.read_text(errors="replace").splitlines()
        except FileNotFoundError:
            return []
        for line in lines:
            if line.startswith("X-Client-Addr: "):
                client = line.partition(": ")[2].strip().removeprefix("ipv6:")
            elif line.startswith("X-Rcpt-Args: "):
                recipient = line.partition("<")[2].partition(">")[0]
                found.append(Taken(client, recipient))
        return [one for one in found if not tag or f"-{tag}-" in one.recipient]

    def text(self) -> str:
        """All that was taken, as it came."""
        return self._dump.read_text(errors="replace") if self._dump.exists() else ""

    def verdict(self, tag: str) -> Verdict:
        """What became of the messages with this tag."""
        taken = self.taken(tag)
        people = Counter(one.recipient for one in taken)
        return Verdict(
            len(people), people.total() - len(people), frozenset(one.client for one in taken)
        )

    def wait_for(self, count: int, tag: str, timeout: float = PATIENCE_S) -> Verdict:
        """Until so many recipients have got theirs."""
        self._wait(lambda: self.verdict(tag).delivered >= count, f"{count} of {tag}", timeout)
        return self.verdict(tag)

    def _wait(self, condition: Callable[[], bool], what: str, timeout: float) -> None:
        wait_for(condition, what, timeout, 0.2)

    def _is_open(self, host: str) -> bool:
        return self.machine.attempt(["bash", "-c", f"exec 3<>/dev/tcp/{host}/25"]).returncode == 0
