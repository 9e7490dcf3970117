"""Settings, and what Postfix' configuration gets of them."""

import pytest

from duravip_mail.settings import (
    MailqSettings,
    MovesSettings,
    RebindSettings,
    Settings,
    former_names,
    mail_node,
    settings_from,
)
from duravip_runtime.settings import SettingsError

NEEDED = ["--node-name=n1", "--node-addresses=10.1.0.11"]


def node(*options: str) -> Settings:
    settings = settings_from("run", [*NEEDED, *options])
    assert isinstance(settings, Settings)
    return settings


def test_networks_become_what_postfix_takes() -> None:
    made = mail_node(node("--networks=10.0.0.0/8,fd00::/8,10.1.1.1", "--header-trust=10.2.0.1"))
    assert made.networks == ("10.0.0.0/8", "[fd00::]/8", "10.1.1.1/32")
    assert made.header_trust == ("10.2.0.1/32",)


def test_without_options_nobody_may_inject_or_choose() -> None:
    made = mail_node(node())
    assert (made.networks, made.header_trust, made.assigns, made.extra) == ((), (), False, ())


def test_a_node_may_have_an_address_of_each_family() -> None:
    settings = settings_from("run", ["--node-name=n1", "--node-addresses=10.1.0.11,FD00::0:1"])
    assert isinstance(settings, Settings)
    assert mail_node(settings).addresses == ("10.1.0.11", "fd00::1")


@pytest.mark.parametrize(
    ("option", "problem"),
    [
        ("--networks=10.0.0.1/8", "--networks: 10.0.0.1/8 has host bits set"),
        ("--node-addresses=10.1.0.1,10.1.0.2", "one address of each family"),
        ("--node-addresses=n1", "does not appear to be an IPv4 or IPv6 address"),
        ("--folder=/var/lib/my mail", "--folder: must be an absolute path"),
        ("--folder=mail", "--folder: must be an absolute path"),
        ("--node-name=N1", "--node-name"),
        ("--agent=agent.example:1", "--agent"),
        ("--agent=", "--agent: must be"),
        ("--bindings-from=nowhere", "--bindings-from"),
        ("--aliases=old", "--aliases: must be OLD=NEW"),
        ("--aliases=old=new,OLD=new", "--aliases: name 'OLD' is none"),
    ],
)
def test_a_wrong_option_is_refused_with_its_name(option: str, problem: str) -> None:
    with pytest.raises(SettingsError, match=problem):
        node(option)


def test_former_names_are_read_by_pairs() -> None:
    assert former_names(node("--aliases=a=b,c=b")) == {"a": "b", "c": "b"}
    assert former_names(node("--aliases=")) == {}


def test_in_a_cluster_there_may_always_be_assignments() -> None:
    assert mail_node(node("--bindings-from=cluster")).assigns


def test_mailq_takes_the_short_option_of_kubectl() -> None:
    settings = settings_from("mailq", ["-o", "json"])
    assert isinstance(settings, MailqSettings)
    assert settings.output == "json"


@pytest.mark.parametrize("words", [[], ["foo", "--all"]])
def test_rebind_takes_a_name_or_all(words: list[str]) -> None:
    with pytest.raises(SettingsError, match="a Binding's name or --all is required"):
        settings_from("rebind", words)
    settings = settings_from("rebind", ["foo"])
    assert isinstance(settings, RebindSettings)
    assert (settings.name, settings.all) == ("foo", False)


def test_moves_have_a_time_and_a_limit() -> None:
    settings = settings_from("moves", ["--since=24h", "-o", "json"])
    assert isinstance(settings, MovesSettings)
    assert (settings.since, settings.output, settings.limit) == ("24h", "json", 10_000)
    for wrong in ("--since=yesterday", "--limit=0"):
        with pytest.raises(SettingsError, match=wrong.partition("=")[0]):
            settings_from("moves", [wrong])
