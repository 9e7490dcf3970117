"""What a client asks for beside the message itself moves along. Nobody takes mail outside."""

import sys

from duravip_mail.spool import Spool
from lab.machines import Machine
from lab.processes import wait_for
from mail.mail_node import PATIENCE_S, MailNode
from mail.outside import TRUSTED, Outside
from mail.segment import OUTSIDE

Pair = list[MailNode]

INJECT = """\
import smtplib, sys
to, sender, recipient, options, asked = sys.argv[1:]
with smtplib.SMTP(to, {port}, timeout=20) as server:
    server.ehlo("client.example")
    server.sendmail(
        sender, [recipient], "X-DuraVIP-Binding: bar\\nSubject: test\\n\\nhello\\n",
        mail_options=options.split(), rcpt_options=asked.split(),
    )
"""


def inject(client: Machine, node: MailNode, sender: str, recipient: str, *asked: str) -> None:
    """Send a message for the Binding bar; `asked` are options of MAIL, and of RCPT."""
    program = INJECT.format(port=TRUSTED)
    client.run([sys.executable, "-c", program, node.address, sender, recipient, *asked])


def only_envelope(node: MailNode) -> list[str]:
    """The envelope of the only message in a node's queue, as Postfix shows it."""
    wait_for(lambda: node.queue()["deferred"] == 1, "it waits there", PATIENCE_S, 0.1)
    (message,) = Spool(node.folder / "spool").messages()
    show = ["/usr/sbin/postcat", "-c", str(node.folder / "etc"), "-qe", message.queue_id]
    return node.machine.run(show).splitlines()


def test_what_is_to_be_said_of_its_delivery_moves_along(pair: Pair, outside: Outside) -> None:
    first, second = pair
    mail, recipient = "RET=HDRS ENVID=letter-1", "NOTIFY=SUCCESS,DELAY ORCPT=rfc822;old@b.example"
    inject(outside.machine, first, "a@sender.example", f"1-d@[{OUTSIDE}]", mail, recipient)
    envelope = only_envelope(second)
    assert first.is_empty()
    assert "named_attribute: envelope_id=letter-1" in envelope
    assert "named_attribute: ret_flags=2" in envelope  # HDRS
    assert "named_attribute: notify_flags=10" in envelope  # SUCCESS, and DELAY
    assert "named_attribute: dsn_orig_rcpt=rfc822;old@b.example" in envelope


def test_addresses_of_all_alphabets_move(pair: Pair, outside: Outside) -> None:
    first, second = pair
    inject(outside.machine, first, "ä@sender.example", f"ö-u@[{OUTSIDE}]", "SMTPUTF8", "")
    envelope = only_envelope(second)
    assert first.is_empty()
    assert "sender: ä@sender.example" in envelope
    assert f"recipient: ö-u@[{OUTSIDE}]" in envelope
