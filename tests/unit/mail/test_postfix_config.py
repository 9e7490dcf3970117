"""main.cf and master.cf: as a whole, and what must never be lost of them."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from duravip_mail.core.postfix_config import MailNode, main_cf, master_cf, tools_cf
from duravip_mail.core.world import MailBinding

GOLDEN = Path(__file__).with_name("golden")
NODE = MailNode(
    name="n1.example",
    addresses=("10.1.0.11",),
    folder="/var/lib/duravip-mail",
    tls="/etc/duravip/mail-tls",
    networks=("10.0.0.0/8", "[fd00::]/8"),
    header_trust=("10.2.0.0/16",),
    assigns=True,
    extra=("message_size_limit = 52428800",),
)
BINDINGS = (
    MailBinding("foo", "10.1.1.1"),
    MailBinding("six", "fd00:1::5"),
    MailBinding("bare"),
    MailBinding("held", "10.1.1.2", is_suspended=True),
)


def services(text: str) -> dict[str, str]:
    """What master.cf says of each service, options included, by name."""
    found = re.findall(r"^([^#\s]\S*)(.*(?:\n\s.*)*)", text, re.MULTILINE)
    assert len(found) == len({name for name, _ in found} | {"smtp"}) + 1  # smtp: inet and unix
    return dict(found)


@pytest.mark.parametrize("name", ["main.cf", "master.cf"])
def test_the_files_as_a_whole(name: str) -> None:
    made = {"main.cf": main_cf(NODE), "master.cf": master_cf(NODE, BINDINGS)}[name]
    assert made == (GOLDEN / name).read_text()


def test_every_binding_sends_from_its_address_or_not_at_all() -> None:
    made = services(master_cf(NODE, BINDINGS))
    for binding in BINDINGS:
        options = made[f"b-{binding.name}"]
        assert "smtp_bind_address_enforce=yes" in options
        family = "ipv6" if ":" in binding.address else "ipv4"
        assert f"inet_protocols={family}\n" in f"{options}\n"
    assert "smtp_bind_address=10.1.1.1\n" in made["b-foo"]
    assert "smtp_bind_address6=fd00:1::5\n" in made["b-six"]
    assert "smtp_bind_address=10.1.0.11\n" in made["b-bare"]


def test_whatever_else_sends_does_so_from_the_node_s_own_address() -> None:
    made = services(master_cf(NODE, ()))
    programs = {name: text.split()[6] for name, text in made.items() if len(text.split()) > 6}
    senders = {name for name, program in programs.items() if program in ("smtp", "lmtp")}
    assert senders == {"smtp", "relay", "mmove"}
    for name in senders:
        assert "smtp_bind_address=10.1.0.11\n" in made[name]
        assert "smtp_bind_address_enforce=yes\n" in made[name]
        assert "inet_protocols=ipv4" in made[name]
    assert "\nsmtp_bind_address_enforce = yes\n" in main_cf(NODE)


def test_a_node_with_both_families_sends_with_both() -> None:
    node = replace(NODE, addresses=("10.1.0.11", "fd00:1::11"))
    smtp = services(master_cf(node, ()))["smtp"]
    assert "smtp_bind_address=10.1.0.11\n" in smtp
    assert "smtp_bind_address6=fd00:1::11\n" in smtp
    assert "inet_protocols" not in smtp
    assert "\nsmtp_bind_address6 = fd00:1::11\n" in main_cf(node)


def test_nothing_is_returned_to_its_sender_for_a_refusal_between_nodes() -> None:
    made = services(master_cf(NODE, BINDINGS))
    assert "soft_bounce=yes" in made["mmove"]
    assert "soft_bounce=yes" in made["2526"]


def test_nodes_know_each_other_by_certificates_and_tlsproxy_has_a_level_of_its_own() -> None:
    made = services(master_cf(NODE, BINDINGS))
    assert "tlsproxy_client_security_level=secure" in made["tlsproxy"]
    assert "smtp_tls_security_level=secure" in made["mmove"]
    assert "smtp_tls_secure_cert_match=mmove.duravip.internal" in made["mmove"]
    assert "smtpd_tls_req_ccert=yes" in made["2526"]
    assert "smtpd_relay_restrictions=permit_tls_all_clientcerts,reject" in made["2526"]


def test_a_header_counts_without_a_token_only_where_that_is_asked_for() -> None:
    made = services(master_cf(NODE, ()))
    assert "mynetworks = 10.2.0.0/16" in made["2525"]
    assert "smtpd_relay_restrictions=permit_mynetworks,reject" in made["2525"]
    assert "2525" not in services(master_cf(replace(NODE, header_trust=()), ()))
    assert "/assigned}" in made["cleanup-untrusted"]
    assert "IGNORE" in made["cleanup-untrusted"]
    assert "cleanup_service_name=cleanup-untrusted" in master_cf(NODE, ()).split("\n")[2]


def test_what_requeues_does_not_log_by_way_of_postfix() -> None:
    made = tools_cf(NODE.folder)
    assert "maillog_file" not in made
    for line in made.splitlines()[1:]:
        assert f"{line}\n" in main_cf(NODE)


def test_without_rules_nobody_is_asked_when_mail_enters() -> None:
    assert "check_policy_service" in main_cf(NODE)
    assert "check_policy_service" not in main_cf(replace(NODE, assigns=False))


def test_an_option_of_a_binding_cannot_undo_where_it_sends_from() -> None:
    options = {"foo": ("smtp_helo_name=mx.example", "smtp_bind_address_enforce=no")}
    text = master_cf(replace(NODE, binding_options=options), [MailBinding("foo", "10.1.1.1")])
    lines = text.partition("\nb-foo unix")[2].splitlines()
    assert "  -o smtp_helo_name=mx.example" in lines
    enforce = [line for line in lines if "smtp_bind_address_enforce" in line]
    assert enforce[-1] == "  -o smtp_bind_address_enforce=yes"
