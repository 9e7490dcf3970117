"""main.cf and master.cf of one node: what is not Postfix' own default, each with its reason.

Values with spaces stand in braces, and `$` is written `$$` where Postfix must not expand it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from duravip_mail.core.routes import HAND_OVER, HAND_OVER_PORT, HEADER, UNKNOWN_ROUTE, transport_of
from duravip_mail.core.world import MailBinding

PEER_NAME: Final = "mmove.duravip.internal"
"""The name in the certificates of all nodes. A node is not asked which one it is: whoever serves
the address is right, as long as it belongs to the cluster."""
HAND_OVER_SESSIONS: Final = 20
"""Most sessions to other nodes at a time; so many messages may come twice if a node is killed."""
TRUSTED_PORT: Final = 2525
"""Where those inject who may name a Binding themselves."""
ROUTES: Final = "routes"
ACCEPTED: Final = "accepted"
ASSIGNED: Final = "assigned"
"""The tables, by the names of their files."""


@dataclass(frozen=True, slots=True)
class MailNode:
    """What differs from node to node, and what its administrator chooses."""

    name: str
    """Postfix' myhostname."""
    addresses: tuple[str, ...]
    """The node's own: one for each family that it may send with."""
    folder: str
    """Has etc, spool, data, log and run: what must be there again after a crash. No spaces."""
    tls: str
    """The folder with ca.crt, tls.crt and tls.key. No spaces."""
    networks: tuple[str, ...] = ()
    """Who may inject mail: addresses, or blocks as ADDRESS/LENGTH."""
    header_trust: tuple[str, ...] = ()
    """Who may name a Binding in the header: the same."""
    assigns: bool = False
    """Whether there are rules that assign Bindings, so that the policy service is asked."""
    extra: tuple[str, ...] = ()
    """More lines of main.cf."""
    binding_options: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """More options of single Bindings, each NAME=VALUE, by the Binding's name."""


def main_cf(node: MailNode) -> str:
    """The text of main.cf."""
    return f"""\
# Written by duravip-mail: changes are lost.
compatibility_level = 3.6
myhostname = {node.name}
queue_directory = {node.folder}/spool
data_directory = {node.folder}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
maillog_file = {node.folder}/log/maillog
maillog_file_prefixes = {node.folder}/log

# On all addresses: those of Bindings come and go, and each would need a restart.
inet_interfaces = all
inet_protocols = all

# A pure relay: the route of a Binding would take local mail along.
mydestination =
local_recipient_maps =
local_transport = error:5.1.1 there is no local mail
alias_maps =
alias_database =
notify_classes =

mynetworks = {" ".join(node.networks)}
smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated, reject
smtpd_recipient_restrictions =
disable_vrfy_command = yes
smtpd_forbid_bare_newline = normalize
{_policy(node)}
# The name of a Binding is looked up once, when a message enters, in a table. One that is in none
# waits: it must not leave as mail without a Binding.
header_checks = {_checks(NAME_MAYBE_TOKEN, table_file(node, ROUTES), f"FILTER {UNKNOWN_ROUTE}")}
# Not in what is attached: a forwarded message has a header of its own.
nested_header_checks =
mime_header_checks =
smtp_header_checks = regexp:{{{{/^{HEADER}:/ IGNORE}}}}

# Mail without a Binding leaves from the node's own address. Postfix' default would send from any
# other one when that is not there, and with it from those of Bindings.
{_default_source(node)}
smtp_tls_security_level = may

smtpd_tls_security_level = may
smtpd_tls_cert_file = {node.tls}/tls.crt
smtpd_tls_key_file = {node.tls}/tls.key

# Names of queue files that never come again: what is known of one stays true.
enable_long_queue_ids = yes
# Each move adds two Received fields. Postfix' 50 would return mail that has moved 25 times.
hopcount_limit = 250
{"".join(f"{line}{chr(10)}" for line in node.extra)}"""


def tools_cf(folder: str) -> str:
    """The text of main.cf for postsuper(1), which then does not log to Postfix' own log.

    It logs each message. While Postfix starts, its master does not read the log's socket yet, and
    waits for room there as soon as ten lines are in it: for ever.
    """
    return f"""\
# Written by duravip-mail: changes are lost.
compatibility_level = 3.6
queue_directory = {folder}/spool
data_directory = {folder}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
enable_long_queue_ids = yes
"""


def master_cf(node: MailNode, bindings: Iterable[MailBinding]) -> str:
    """The text of master.cf."""
    lines = [
        "# Written by duravip-mail: changes are lost.",
        *_injection(node),
        *_SERVICES,
        *_sender("smtp", "smtp", _own_addresses(node)),
        *_sender("relay", "smtp", _own_addresses(node)),
        *_hand_over_in(node),
        *_hand_over_out(node),
    ]
    for binding in bindings:
        addresses = (binding.address,) if binding.address else node.addresses
        name = f"duravip/{binding.name}"
        # Of two options with one name the last counts: that of the address.
        options = [*node.binding_options.get(binding.name, ()), *_bound_to(addresses)]
        lines += _sender(transport_of(binding), "smtp", options, name)
    return "\n".join(lines) + "\n"


def table_file(node: MailNode, name: str) -> str:
    """The path of a table, as text; Postfix' own form of it stands beside it."""
    return f"{node.folder}/etc/{name}"


def policy_socket(node: MailNode) -> str:
    """The path of the policy service's socket."""
    return f"{node.folder}/run/policy"


NAME: Final = r"([a-z0-9.-]+)(\/[0-9a-f]+)?"
NAME_MAYBE_TOKEN: Final = f"{{/^{HEADER}:[[:space:]]*{NAME}[[:space:]]*$$/ $$1}}"
NAME_AND_TOKEN: Final = (
    f"{{/^{HEADER}:[[:space:]]*" + r"([a-z0-9.-]+\/[0-9a-f]+)[[:space:]]*$$/ $$1}"
)

_SERVICES: Final = """\
pickup    unix  n       -       n       60      1       pickup
cleanup   unix  n       -       n       -       0       cleanup
qmgr      unix  n       -       n       300     1       qmgr
tlsmgr    unix  -       -       n       1000?   1       tlsmgr
rewrite   unix  -       -       n       -       -       trivial-rewrite
bounce    unix  -       -       n       -       0       bounce
defer     unix  -       -       n       -       0       bounce
trace     unix  -       -       n       -       0       bounce
verify    unix  -       -       n       -       1       verify
flush     unix  n       -       n       1000?   0       flush
proxymap  unix  -       -       n       -       -       proxymap
showq     unix  n       -       n       -       -       showq
error     unix  -       -       n       -       -       error
retry     unix  -       -       n       -       -       error
discard   unix  -       -       n       -       -       discard
anvil     unix  -       -       n       -       1       anvil
scache    unix  -       -       n       -       1       scache
postlog   unix-dgram n  -       n       -       1       postlogd""".splitlines()


def _default_source(node: MailNode) -> str:
    """Without the families: main.cf's are those that Postfix listens on."""
    options = [o for o in _own_addresses(node) if not o.startswith("inet_protocols")]
    return "\n".join(option.replace("=", " = ", 1).rstrip() for option in options)


def _options(options: Iterable[str]) -> list[str]:
    return [f"  -o {{ {o} }}" if " " in o else f"  -o {o}" for o in options]


def _checks(pattern: str, table: str, otherwise: str) -> str:
    """A header check that costs a look-up for the one field that names a Binding only."""
    known = f"pipemap:{{regexp:{{{pattern}}}, lmdb:{table}}}"
    return f"{known}, regexp:{{{{/^{HEADER}:/ {otherwise}}}}}"


def _policy(node: MailNode) -> str:
    """Asked at DATA, once for each message: at RCPT it would answer once for each recipient."""
    if not node.assigns:
        return ""
    otherwise = "{ default_action = 451 4.3.0 cannot assign a binding now }"
    service = f"check_policy_service {{ unix:{policy_socket(node)}, timeout=2s, {otherwise} }}"
    return f"smtpd_data_restrictions = {service}\n"


def _own_addresses(node: MailNode) -> list[str]:
    return _bound_to(node.addresses)


def _bound_to(addresses: Sequence[str]) -> list[str]:
    """Send from these or not at all: also no family for which there is none."""
    found = {"ipv6" if ":" in address else "ipv4": address for address in addresses}
    return [
        f"smtp_bind_address={found.get('ipv4', '')}",
        f"smtp_bind_address6={found.get('ipv6', '')}",
        "smtp_bind_address_enforce=yes",
        *([] if len(found) > 1 else [f"inet_protocols={next(iter(found))}"]),
    ]


def _sender(service: str, program: str, options: Iterable[str], log: str = "") -> list[str]:
    named = [f"syslog_name={log}"] if log else []
    return [f"{service} unix - - n - - {program}", *_options([*named, *options])]


def _injection(node: MailNode) -> list[str]:
    """On port 25 a Binding counts with a token only. Those who may choose have their own port."""
    checks = _checks(NAME_AND_TOKEN, table_file(node, ASSIGNED), "IGNORE")
    lines = [
        "smtp inet n - n - - smtpd",
        *_options(["cleanup_service_name=cleanup-untrusted"]),
        "cleanup-untrusted unix n - n - 0 cleanup",
        *_options([f"header_checks = {checks}"]),
    ]
    if node.header_trust:
        trusted = [
            "syslog_name=duravip-trusted",
            f"mynetworks = {' '.join(node.header_trust)}",
            # Who has logged in may inject, at port 25, and not choose.
            "smtpd_relay_restrictions=permit_mynetworks,reject",
        ]
        lines += [f"{TRUSTED_PORT} inet n - n - - smtpd", *_options(trusted)]
    return lines


def _hand_over_in(node: MailNode) -> list[str]:
    checks = _checks(
        NAME_MAYBE_TOKEN,
        table_file(node, ACCEPTED),
        "REJECT 4.3.0 there is no such binding on this node",
    )
    # A refusal between nodes is never the last word: soft_bounce makes a 5xx a 4xx on both sides,
    # so that no mail is returned to its sender for it.
    server = [
        "syslog_name=duravip-mmove",
        "cleanup_service_name=cleanup-mmove",
        "smtpd_data_restrictions=",
        f"smtpd_client_connection_count_limit={2 * HAND_OVER_SESSIONS}",
        "smtpd_peername_lookup=no",
        "soft_bounce=yes",
        "smtpd_tls_security_level=encrypt",
        "smtpd_tls_req_ccert=yes",
        f"smtpd_tls_CAfile={node.tls}/ca.crt",
        "smtpd_relay_restrictions=permit_tls_all_clientcerts,reject",
        "smtpd_authorized_xforward_hosts = 0.0.0.0/0, [::]/0",
    ]
    return [
        f"{HAND_OVER_PORT} inet n - n - 50 smtpd",
        *_options(server),
        "cleanup-mmove unix n - n - 0 cleanup",
        *_options(["syslog_name=duravip-mmove", f"header_checks = {checks}"]),
    ]


def _hand_over_out(node: MailNode) -> list[str]:
    client = [
        "syslog_name=duravip-mmove",
        "smtp_header_checks=",
        *_own_addresses(node),
        # An address that nobody serves must not hold all sessions for half a minute, nor an owner
        # that loses it before it has answered for ten.
        "smtp_connect_timeout=3s",
        "smtp_helo_timeout=10s",
        "smtp_mail_timeout=20s",
        "smtp_rcpt_timeout=20s",
        "smtp_data_init_timeout=20s",
        "smtp_data_xfer_timeout=30s",
        "smtp_data_done_timeout=30s",
        "smtp_rset_timeout=5s",
        "smtp_quit_timeout=5s",
        "soft_bounce=yes",
        "smtp_send_xforward_command=yes",
        "smtp_tls_security_level=secure",
        f"smtp_tls_secure_cert_match={PEER_NAME}",
        f"smtp_tls_CAfile={node.tls}/ca.crt",
        f"smtp_tls_cert_file={node.tls}/tls.crt",
        f"smtp_tls_key_file={node.tls}/tls.key",
        # Several messages over one connection.
        "smtp_tls_connection_reuse=yes",
    ]
    # Without a level of its own it has no role as a client, and dies of a signal when it is used.
    proxy = [
        "tlsproxy_client_security_level=secure",
        f"tlsproxy_client_CAfile={node.tls}/ca.crt",
        f"tlsproxy_client_cert_file={node.tls}/tls.crt",
        f"tlsproxy_client_key_file={node.tls}/tls.key",
    ]
    return [
        f"{HAND_OVER} unix - - n - {HAND_OVER_SESSIONS} smtp",
        *_options(client),
        "tlsproxy unix - - n - 0 tlsproxy",
        *_options(proxy),
    ]
