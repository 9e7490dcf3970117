"""The command line: which verbs there are, their options, and an example for each."""

import argparse
import textwrap
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import NamedTuple, NoReturn, Protocol

from duravip_cli.context import Context
from duravip_cli.errors import CommandError, ExitCode

_PROGRAM = "kubectl-duravip"
_EPILOG = """\
exit codes: 0 fine; 1 problems found, or refused; 2 wrong usage, or the cluster cannot be asked

also as a plugin: `kubectl duravip show` is the same as `kubectl-duravip show`"""


class Verb(NamedTuple):
    """What the help says of a verb."""

    summary: str
    examples: tuple[tuple[str, str], ...]
    """What to type, and what it does."""
    details: str = ""
    forms: tuple[str, ...] = ("json",)
    """What `-o` takes."""


class VerbModule(Protocol):
    """A module of the package `verbs`; the verb has the module's name."""

    VERB: Verb

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the verb's own options."""

    def run(self, context: Context) -> ExitCode:
        """Run the verb, and give the exit code."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise CommandError(f"{message}; see `{self.prog} --help`", ExitCode.USAGE)


def parse(
    arguments: list[str], names: Sequence[str], load: Callable[[str], VerbModule]
) -> argparse.Namespace:
    """Parse the arguments; raises CommandError with one line when they make no sense.

    `names` are the verbs. `load` imports one of them: only the one that is given, if one is.
    """
    parser = _Parser(
        prog=_PROGRAM,
        description="Looks at DuraVIP's addresses and nodes, explains, tries out, moves, drains.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[_common(())],
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=version("duravip"))
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True, title="verbs")
    for name in _needed(arguments, names):
        module = load(name)
        verb = module.VERB
        module.add_arguments(
            verbs.add_parser(
                name,
                help=verb.summary,
                description=textwrap.fill(f"{verb.summary}. {verb.details}".strip(), 90),
                epilog=_examples(verb),
                formatter_class=argparse.RawDescriptionHelpFormatter,
                parents=[_common(verb.forms)],
                allow_abbrev=False,
            )
        )
    parsed = parser.parse_args(arguments)
    for option in ("kubeconfig", "context", "namespace", "output"):
        setattr(parsed, option, getattr(parsed, option, None))
    return parsed


def add_wait(parser: argparse.ArgumentParser, does: str, seconds: int) -> None:
    """Declare --wait, --no-wait and --timeout of a verb that waits for its effect."""
    parser.add_argument("--wait", action=argparse.BooleanOptionalAction, default=True, help=does)
    parser.add_argument(
        "--timeout", type=float, default=float(seconds), metavar="SECONDS",
        help=f"of --wait (default: {seconds})",
    )  # fmt: skip


def _needed(arguments: list[str], names: Sequence[str]) -> Sequence[str]:
    """The verb that is given; all of them for the help, and for a list of choices."""
    try:
        _, rest = _common(()).parse_known_args(arguments)
    except CommandError:  # the real parser says the same, and knows the verb
        return names
    return rest[:1] if rest and rest[0] in names else names


def _common(forms: tuple[str, ...]) -> _Parser:
    """Options that stand before the verb or behind it: the absent ones overwrite nothing."""
    parser = _Parser(
        prog=_PROGRAM, add_help=False, allow_abbrev=False, argument_default=argparse.SUPPRESS
    )
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
