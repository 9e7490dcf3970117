"""One Postfix instance: its files, its own programs, and the doors of its daemons."""

import logging
import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Final

from duravip_mail.core.postfix_config import tools_cf
from duravip_mail.core.routes import Table
from duravip_mail.spool import DEFERRED, QueuedMessage

log = logging.getLogger(__name__)

USER: Final = "postfix"
SYSTEM: Final = Path("/etc/postfix")
"""Where Debian says which libraries read which tables."""
RUN_TIMEOUT_S: Final = 300.0
"""For what rewrites every message of a large queue."""


class PostfixError(Exception):
    """Postfix is not there, or refuses; the message is one line."""


class Postfix:
    """The instance in one folder, with etc, spool, data, log and run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.etc, self.spool = folder / "etc", folder / "spool"
        self._written: dict[str, Table] = {}
        """The tables as this process has written them: what another run left may be half done."""

    def prepare(self) -> None:
        """Make the folders, as far as they are missing; raises PostfixError."""
        for name in ("etc", "spool/pid", "data", "log", "run"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        try:
            user = pwd.getpwnam(USER)
            os.chown(self.folder / "data", user.pw_uid, -1)
            shutil.copy(SYSTEM / "dynamicmaps.cf", self.etc)
            more = SYSTEM / "dynamicmaps.cf.d"
            if more.exists():  # since Debian 13 there is none
                shutil.copytree(more, self.etc / more.name, dirs_exist_ok=True)
        except (KeyError, OSError) as error:
            raise PostfixError(f"Postfix is not installed: {error}") from error

    def check(self) -> None:
        """Let Postfix look at its configuration, and make its folders; raises PostfixError."""
        self._run("postfix", "check")

    def write_config(self, name: str, text: str) -> bool:
        """Write main.cf or master.cf; whether anything was new."""
        path = self.etc / name
        if path.exists() and path.read_text() == text:
            return False
        _replace(path, text, 0o644)
        return True

    def has_table(self, name: str) -> bool:
        """Whether there is one, of this run or an earlier one."""
        return (self.etc / f"{name}.lmdb").exists()

    def rows_of(self, name: str) -> Collection[str]:
        """The keys of a table as it was last written; none if it was never."""
        try:
            lines = (self.etc / name).read_text().splitlines()
        except OSError:
            return ()
        return [line.partition("\t")[0] for line in lines]

    def write_table(self, name: str, table: Table) -> bool:
        """Replace a table, which Postfix reads live; whether it was new; raises PostfixError."""
        if self._written.get(name) == table:
            return False
        self._written.pop(name, None)
        # Nobody else may read it: there are tokens in it.
        _replace(self.etc / name, "".join(f"{k}\t{v}\n" for k, v in sorted(table.items())), 0o600)
        self._run("postmap", f"lmdb:{self.etc / name}")
        self._written[name] = dict(table)
        return True

    def reload(self) -> None:
        """Read main.cf and master.cf again, if Postfix runs; raises PostfixError.

        `postfix reload` sends a signal to the number in pid/master.pid, which is the master's in
        *its* PID namespace. From another one the signal would hit a stranger.
        """
        if self.is_running():
            self._run("postfix", "reload")

    def is_running(self) -> bool:
        """Whether the master runs, in the same PID namespace."""
        try:
            pid = int((self.spool / "pid/master.pid").read_text())
            return Path(f"/proc/{pid}/comm").read_text().strip() == "master"
        except (OSError, ValueError):
            return False

    def requeue(self, queue_ids: Iterable[str]) -> None:
        """Have messages of the deferred queue looked at as if they were new; raises PostfixError.

        Each is written once more. What is in another queue by now stays as it is.
        """
        listed = "".join(f"{queue_id}\n" for queue_id in queue_ids)
        if listed:
            (self.folder / "tools").mkdir(exist_ok=True)
            _replace(self.folder / "tools/main.cf", tools_cf(str(self.folder)), 0o644)
            run_program(self.folder / "tools", "postsuper", "-r", "-", DEFERRED, given=listed)
            self.forget_failures()
            self._trigger("pickup", b"W")  # it would look only after its 60 s

    def retry(self, messages: Iterable[QueuedMessage]) -> None:
        """Have messages of the deferred queue tried now, by the route that they have.

        The time of a file is that of its next try: flush(8) makes it now in the same way.
        """
        now = time.time()
        for message in messages:
            try:
                os.utime(message.path, (now, now))
            except OSError:  # it has left meanwhile
                continue
        self.forget_failures()
        self._trigger("qmgr", b"D")

    def forget_failures(self) -> None:
        """Have the queue manager forget which destinations did not answer.

        It would set them aside for minutes: qmgr(8), section TRIGGERS.
        """
        self._trigger("qmgr", b"F")

    def _trigger(self, daemon: str, letter: bytes) -> None:
        try:
            with socket.socket(socket.AF_UNIX) as door:
                door.connect(str(self.spool / "public" / daemon))
                door.send(letter)
        except OSError as error:
            log.debug("cannot reach %s of Postfix: %s", daemon, error)

    def _run(self, program: str, *arguments: str) -> None:
        run_program(self.etc, program, *arguments)


def run_program(etc: Path, program: str, *arguments: str, given: str = "") -> str:
    """Run one of Postfix' programs, and give what it printed; raises PostfixError."""
    command = [f"/usr/sbin/{program}", "-c", str(etc), *arguments]
    try:
        done = subprocess.run(  # noqa: S603 - Postfix' own programs
            command, input=given, text=True, capture_output=True, check=False,
            timeout=RUN_TIMEOUT_S, errors="replace",
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PostfixError(f"cannot run {program}: {error}") from error
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["no reason given"]
        raise PostfixError(f"{program} ends with {done.returncode}: {said[-1]}")
    return done.stdout


def user_id() -> int:
    """The number of the user that Postfix' daemons run as; raises PostfixError."""
    try:
        return pwd.getpwnam(USER).pw_uid
    except KeyError as error:
        raise PostfixError(f"Postfix is not installed: there is no user {USER}") from error


def _replace(path: Path, text: str, mode: int) -> None:
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
        file.write(text)
    new.replace(path)
