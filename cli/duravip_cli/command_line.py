"""The command line: which verbs there are, their options, and an example for each."""

import argparse
import sys
import textwrap
from collections.abc import Callable, Sequence
from importlib.metadata import version
from types import ModuleType
from typing import Any, NamedTuple, NoReturn

from duravip_cli.errors import CommandError, ExitCode
from duravip_cli.output import write_or_fail

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
    default_form: str = "a table"
    """What is printed without `-o`."""


class Parser(argparse.ArgumentParser):
    """A parser whose errors are CommandErrors of one line, and that says what it takes."""

    def error(self, message: str) -> NoReturn:
        """Raise the CommandError."""
        raise CommandError(f"{message}; see `{self.prog} --help`", ExitCode.USAGE)

    def _print_message(self, message: str, file: Any = None) -> None:
        if message:
            write_or_fail(file or sys.stderr, message)

    @property
    def options(self) -> list[argparse.Action]:
        """What begins with a dash."""
        return [action for action in self._actions if action.option_strings]

    @property
    def positionals(self) -> list[argparse.Action]:
        """What does not, in order."""
        return [action for action in self._actions if not action.option_strings]

    def option_with_value(self, word: str) -> argparse.Action | None:
        """The option of this name, if a value follows it."""
        found = (action for action in self.options if word in action.option_strings)
        return next((action for action in found if action.nargs != 0), None)


def parse(
    arguments: list[str], names: Sequence[str], load: Callable[[str], ModuleType]
) -> argparse.Namespace:
    """Parse the arguments; raises CommandError with one line when they make no sense.

    `names` are the verbs. `load` imports one of them: only the one that is given, if one is. Where
    none is, `help` is what to print.
    """
    parser = Parser(
        prog=_PROGRAM,
        description="Looks at DuraVIP's addresses and nodes, explains, tries out, moves, drains.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[_common(())],
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=version("duravip"))
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", title="verbs")
    for name in _needed(arguments, names):
        module = load(name)
        verb: Verb = module.VERB
        module.add_arguments(
            verbs.add_parser(
                name,
                help=verb.summary,
                description=textwrap.fill(f"{verb.summary}. {verb.details}".strip(), 90),
                epilog=_examples(verb),
                formatter_class=argparse.RawDescriptionHelpFormatter,
                parents=[_common(verb.forms, verb.default_form)],
                allow_abbrev=False,
            )
        )
    parsed = parser.parse_args(arguments)
    parsed.help = "" if parsed.verb else parser.format_help()
    for option in ("kubeconfig", "context", "namespace", "output"):
        setattr(parsed, option, getattr(parsed, option, None))
    return parsed


def common_parser() -> Parser:
    """What may be given without a verb."""
    return Parser(prog=_PROGRAM, parents=[_common(())])


def verb_parser(module: ModuleType) -> Parser:
    """What a verb takes."""
    parser = Parser(prog=_PROGRAM, parents=[_common(module.VERB.forms)])
    module.add_arguments(parser)
    return parser


def add_wait(parser: argparse.ArgumentParser, does: str, seconds: int) -> None:
    """Declare --wait, --no-wait and --timeout of a verb that waits for its effect."""
    parser.add_argument("--wait", action=argparse.BooleanOptionalAction, default=True, help=does)
    parser.add_argument(
        "--timeout", type=float, default=float(seconds), metavar="SECONDS",
        help=f"of --wait (default: {seconds})",
    )  # fmt: skip


def add_listing(parser: argparse.ArgumentParser) -> None:
    """Declare the options of a list as kubectl has them: -A, -l, -w and --no-headers."""
    parser.add_argument("-A", "--all-namespaces", action="store_true", help="the default")
    parser.add_argument("-l", "--selector", default="", metavar="LABELS", help="e.g. app=web,a!=b")
    add_table_options(parser)


def add_table_options(parser: argparse.ArgumentParser) -> None:
    """Declare those of them that hold for every list: -w and --no-headers."""
    parser.add_argument("-w", "--watch", action="store_true", help="go on, and print what changes")
    parser.add_argument("--no-headers", action="store_true", help="no line with names of columns")


def _needed(arguments: list[str], names: Sequence[str]) -> Sequence[str]:
    """The verb that is given; all of them for the help, and for a list of choices."""
    try:
        _, rest = _common(()).parse_known_args(arguments)
    except CommandError:  # the real parser says the same, and knows the verb
        return names
    return rest[:1] if rest and rest[0] in names else names


def _common(forms: tuple[str, ...], default_form: str = "") -> Parser:
    """Options that stand before the verb or behind it: the absent ones overwrite nothing."""
    parser = Parser(
        prog=_PROGRAM, add_help=False, allow_abbrev=False, argument_default=argparse.SUPPRESS
    )
    group = parser.add_argument_group("the cluster")
    group.add_argument("--kubeconfig", metavar="FILE", help="default: $KUBECONFIG, then kubectl's")
    group.add_argument("--context", metavar="NAME", help="the kubeconfig's context to use")
    group.add_argument("-n", "--namespace", metavar="NS", help="default: all namespaces")
    if forms:
        parser.add_argument("-o", "--output", choices=forms, help=f"default: {default_form}")
    return parser


def _examples(verb: Verb) -> str:
    width = max(len(typed) for typed, _ in verb.examples)
    lines = [f"  kubectl duravip {typed.ljust(width)}   # {does}" for typed, does in verb.examples]
    return "\n".join(["examples:", *lines])
