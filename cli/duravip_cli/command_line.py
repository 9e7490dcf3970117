"""The command line: verbs, their options, and an example for each."""

import argparse
import textwrap
from collections.abc import Callable
from importlib.metadata import version
from typing import NamedTuple, NoReturn

from duravip_cli.errors import Code, CommandError

Add = Callable[[argparse.ArgumentParser], None]
_EPILOG = """\
exit codes: 0 fine; 1 problems found, or refused; 2 wrong usage, or the cluster cannot be asked

also as a plugin: `kubectl duravip show` is the same as `kubectl-duravip show`"""


class Verb(NamedTuple):
    """A verb: its help, examples, forms of output and options."""

    summary: str
    details: str
    examples: tuple[tuple[str, str], ...]
    """What to type, and what it does."""
    forms: tuple[str, ...]
    add: Add


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise CommandError(f"{message}; see `{self.prog} --help`", Code.UNUSABLE)


def parsed(arguments: list[str], verbs: dict[str, Verb]) -> argparse.Namespace:
    """What was asked for; raises CommandError with one line when it makes no sense."""
    parser = _Parser(
        prog="kubectl-duravip",
        description="Looks at DuraVIP's addresses and nodes, explains, tries out, moves, drains.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[_common(())],
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=version("duravip"))
    found = parser.add_subparsers(dest="verb", metavar="VERB", required=True, title="verbs")
    for name, verb in verbs.items():
        made = found.add_parser(
            name,
            help=verb.summary,
            description=textwrap.fill(f"{verb.summary}. {verb.details}".strip(), 90),
            epilog=_examples(verb),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            parents=[_common(verb.forms)],
            allow_abbrev=False,
        )
        verb.add(made)
    asked = parser.parse_args(arguments)
    for option in ("kubeconfig", "context", "namespace", "output"):
        setattr(asked, option, getattr(asked, option, None))
    return asked


def _common(forms: tuple[str, ...]) -> _Parser:
    """Options that stand before the verb or behind it: the absent ones overwrite nothing."""
    parser = _Parser(add_help=False, argument_default=argparse.SUPPRESS)
    group = parser.add_argument_group("the cluster")
    group.add_argument("--kubeconfig", metavar="FILE", help="default: $KUBECONFIG, then kubectl's")
    group.add_argument("--context", metavar="NAME", help="the kubeconfig's context to use")
    group.add_argument("-n", "--namespace", metavar="NS", help="default: all namespaces")
    if forms:
        parser.add_argument("-o", "--output", choices=forms, help="default: a table")
    return parser


def _examples(verb: Verb) -> str:
    width = max(len(typed) for typed, _ in verb.examples)
    lines = [f"  kubectl duravip {typed.ljust(width)}   # {does}" for typed, does in verb.examples]
    return "\n".join(["examples:", *lines])
