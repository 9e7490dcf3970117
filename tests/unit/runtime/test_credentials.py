"""Credentials are read again when a file changes, and when the API server does not know us."""

import os
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from duravip_runtime.credentials import (
    LASTING_AFTER_S,
    Refusals,
    RenewingClient,
    credential_files,
    file_stamps,
    kubeconfig_files,
)

KUBECONFIG = """
clusters: [{name: c, cluster: {server: "https://x", certificate-authority: ca.crt}}]
users: [{name: u, user: {tokenFile: /run/token, client-certificate: c.crt, client-key: c.key}}, 7]
"""


class RefusalError(Exception):
    """What a client raises."""

    def __init__(self, status: int) -> None:
        super().__init__(str(status))
        self.status = status


class Answer(NamedTuple):
    """What it returns."""

    status: int


class Configuration:
    """With a token."""

    username = None

    def __init__(self, token: str) -> None:
        self.token = token

    def get_api_key_with_prefix(self, _: str) -> str:
        return f"Bearer {self.token}"


class Rest:
    """Connections."""

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration


class Plain:
    """A client; the server knows whoever has the token that is valid now."""

    valid = "one"

    def __init__(self, configuration: Configuration) -> None:
        self.configuration, self.rest_client = configuration, Rest(configuration)
        self.sent: list[str] = []

    def call_api(self, _method: str, _url: str, headers: dict[str, str]) -> Answer:
        self.sent.append(headers["authorization"])
        if headers["authorization"] != f"Bearer {self.valid}":
            raise RefusalError(401)
        return Answer(200)


class Client(RenewingClient, Plain):
    """The same, which follows its credentials."""


@pytest.fixture
def token(tmp_path: Path) -> Path:
    file = tmp_path / "token"
    file.write_text("one")
    (tmp_path / "config").write_text(f"users: [{{user: {{tokenFile: {file}}}}}]")
    return file


def client_of(token: Path) -> Client:
    def load() -> Configuration:
        return Configuration(token.read_text())

    client = Client(load())
    client.follow(load, (token.parent / "config",))
    client._read = float("-inf")  # noqa: SLF001 - long ago
    return client


def asked(client: Client) -> Any:
    return client.call_api("GET", "/", {"authorization": "Bearer as it was", "Accept": "x"})


def test_the_token_of_now_is_sent(token: Path) -> None:
    client = client_of(token)
    assert asked(client).status == 200
    assert client.sent == ["Bearer one"]


def test_another_content_is_read_before_the_next_request(token: Path) -> None:
    client = client_of(token)
    token.write_text("other")
    client.valid = "other"
    client._looked = float("-inf")  # noqa: SLF001
    assert asked(client).status == 200
    assert client.sent == ["Bearer other"]


def test_a_refused_request_is_sent_again_with_what_is_valid_now(token: Path) -> None:
    """So it is with a plugin, whose token is in no file."""
    client = client_of(token)
    token.write_text("other")
    client.valid = "other"
    assert asked(client).status == 200
    assert client.sent == ["Bearer one", "Bearer other"]


def test_what_stays_refused_is_raised_and_not_read_again_at_once(token: Path) -> None:
    client = client_of(token)
    client.valid = "somebody else's"
    for _ in range(3):
        with pytest.raises(RefusalError, match="401"):
            asked(client)
    assert len(client.sent) == 4


def test_a_file_that_cannot_be_read_leaves_things_as_they_are(token: Path) -> None:
    client = client_of(token)
    token.unlink()
    client._looked = float("-inf")  # noqa: SLF001
    assert asked(client).status == 200


def test_every_file_that_a_kubeconfig_names_is_looked_at(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(KUBECONFIG)
    names = ["config", "/run/token", "c.crt", "c.key", "ca.crt"]
    assert credential_files((config,)) == tuple(tmp_path / name for name in names)


@pytest.mark.parametrize("content", ["", "7", "users: x", "users: [{user: 7}]", "\0", "a: [", "-"])
def test_any_content_is_a_kubeconfig_that_names_nothing(tmp_path: Path, content: str) -> None:
    config = tmp_path / "config"
    config.write_text(content)
    assert credential_files((config,)) == (config,)


def test_a_file_that_is_put_in_the_place_of_another_is_another_one(tmp_path: Path) -> None:
    file, new = tmp_path / "token", tmp_path / "new"
    file.write_text("one")
    before = file_stamps((file,))
    new.write_text("two")
    new.replace(file)
    assert file_stamps((file,)) != before
    file.unlink()
    assert file_stamps((file,)) == ((),)


def test_where_the_kubeconfig_is_when_none_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join(["/a", "/b"]))
    assert kubeconfig_files(None) == (Path("/a"), Path("/b"))
    assert kubeconfig_files(Path("/c")) == (Path("/c"),)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    assert kubeconfig_files(None) == ()


def test_a_refusal_that_lasts_for_a_minute_is_the_end() -> None:
    now, ends = [100.0], list[str]()
    refusals = Refusals(lambda: now[0])
    refusals.on_lasting = ends.append
    refusals.note(401)
    now[0] += LASTING_AFTER_S - 1
    refusals.note(401)
    refusals.note(200)
    refusals.note(401)
    now[0] += LASTING_AFTER_S - 1
    refusals.note(401)
    assert ends == []
    assert refusals.lasting() == ""
    now[0] += 1
    refusals.note(401)
    assert len(ends) == 1
    assert "401" in ends[0]
    assert refusals.lasting() == ends[0]
    refusals.note(401)
    assert ends == [refusals.lasting()] * 2
    refusals.note(403)
    assert refusals.lasting() == ""
