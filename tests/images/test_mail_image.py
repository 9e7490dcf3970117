"""The image with Postfix, on a read-only root, with the capabilities that the chart gives it."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from lab.docker_engine import Engine
from lab.processes import wait_for
from mail.segment import make_authority

CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "NET_BIND_SERVICE", "SETGID", "SETUID")
GREETING = "import smtplib; print(smtplib.SMTP('127.0.0.1', 25, timeout=5).noop()[0])"
PATIENCE_S = 60


class Mail:
    """The chart's containers of one node."""

    def __init__(self, engine: Engine, image: str, folder: Path) -> None:
        self.engine, self.image, self.folder = engine, image, folder
        folder.mkdir()
        make_authority(folder / "tls")
        (folder / "bindings.json").write_text('[{"name": "foo", "address": "10.1.1.1"}]')
        self.options = [
            "--read-only",
            "--tmpfs=/tmp",
            "--security-opt=no-new-privileges",
            "--cap-drop=ALL",
            *(f"--cap-add={name}" for name in CAPABILITIES),
            f"--volume={folder}:{folder}",
        ]

    def configure(self) -> None:
        given = {
            "node-name": "n1.example",
            "node-addresses": "10.1.0.11",
            "folder": self.folder,
            "bindings-file": self.folder / "bindings.json",
            "tls": self.folder / "tls",
        }
        words = [f"--{name}={value}" for name, value in given.items()]
        self.engine.run(self.image, "configure", *words, options=self.options)

    def postfix(self, program: str, *words: str) -> str:
        """What one of Postfix' own programs prints."""
        return self.engine.run(
            self.image, *words, options=[*self.options, f"--entrypoint={program}"]
        )


@pytest.fixture(scope="module")
def mail(engine: Engine, built: Mapping[str, str]) -> Mail:
    mail = Mail(engine, built["mail"], engine.machine.folder / "mail")
    mail.configure()
    return mail


@pytest.fixture
def master(mail: Mail) -> Iterator[str]:
    """Postfix, as the chart starts it; the container's name."""
    start = ["--entrypoint=/usr/lib/postfix/sbin/master", "--name=postfix", "--network=host"]
    words = ["-s", "-c", f"{mail.folder}/etc"]
    mail.engine.docker("run", "--detach", *start, *mail.options, mail.image, *words)
    yield "postfix"
    mail.engine.docker("rm", "--force", "postfix")


def test_postfix_takes_the_configuration_and_has_its_tables(mail: Mail) -> None:
    etc = f"{mail.folder}/etc"
    mail.postfix("postfix", "-c", etc, "check")
    assert mail.postfix("postconf", "-c", etc, "-h", "mail_version").startswith("3.7")
    assert "lmdb" in mail.postfix("postconf", "-c", etc, "-m").split()


def test_postfix_greets(mail: Mail, master: str) -> None:
    machine = mail.engine.machine

    def greets() -> bool:
        return machine.attempt([sys.executable, "-c", GREETING]).stdout.strip() == "250"

    wait_for(greets, f"{master} greets", PATIENCE_S, every=0.5)
