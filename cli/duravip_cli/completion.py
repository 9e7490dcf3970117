"""Completion for shells: what may stand where the cursor is.

`kubectl_complete-duravip WORD...` is what kubectl runs for a plugin, and what the scripts of
`kubectl duravip completion` run: the last word is the one under way, maybe empty. It prints one
candidate a line, a tab, and what it means; the last line is a number of cobra's that says whether
files may stand there as well. A cluster that cannot be asked in time has no names to offer.
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from enum import IntEnum
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from duravip_cli.__main__ import VERBS, connect_to, load_verb
from duravip_cli.command_line import Parser, common_parser, verb_parser
from duravip_cli.errors import CommandError
from duravip_cli.objects import Body, label_of, name_of, namespace_of, spec_of
from duravip_runtime.text import printable

if TYPE_CHECKING:
    from duravip_cli.cluster import Cluster

TIMEOUT_S: Final = 2.0
"""Who presses the tabulator key waits no longer for names from the cluster."""


class Directive(IntEnum):
    """What the shell is to do beside offering the candidates; the numbers are cobra's."""

    FILES = 0
    NO_FILES = 4


class Candidate(NamedTuple):
    """A word that may stand there."""

    word: str
    meaning: str = ""


Connect = Callable[[argparse.Namespace], "Cluster"]


def complete(words: Sequence[str], connect: Connect) -> tuple[list[Candidate], Directive]:
    """`(what may replace the last of the words, whether files may)`."""
    *before, begun = words or [""]
    parser, verb, places_taken, waiting = _parsed(before)
    action = waiting
    if action is None and begun.startswith("-"):
        found = [
            Candidate(name, str(action.help or ""))
            for action in parser.options
            for name in action.option_strings
            if name.startswith("--")
        ]
    elif action is None and not verb:
        found = [Candidate(name, load_verb(name).VERB.summary) for name in VERBS]
    elif action := action or _place(parser, places_taken):
        if action.metavar == "FILE":
            return [], Directive.FILES
        found = _values(action, lambda: connect(_cluster_options(before)))
        found = [candidate for candidate in found if candidate.word not in before]
    else:
        found = []
    fitting = {candidate for candidate in found if candidate.word.startswith(begun)}
    return sorted(fitting), Directive.NO_FILES


def _parsed(before: Sequence[str]) -> tuple[Parser, str, int, argparse.Action | None]:
    """`(the parser, the verb, how many arguments it has, the option that waits for a value)`."""
    parser, verb, places_taken = common_parser(), "", 0
    waiting: argparse.Action | None = None
    for word in before:
        if word.startswith("-"):
            waiting = None if "=" in word else parser.option_with_value(word)
        elif waiting:
            waiting = waiting if waiting.nargs == "+" else None
        elif not verb and word in VERBS:
            verb, parser = word, verb_parser(load_verb(word))
        else:
            places_taken += 1
    return parser, verb, places_taken, waiting


def _place(parser: Parser, index: int) -> argparse.Action | None:
    """The positional argument of this index; the last one may be there any number of times."""
    places = parser.positionals
    if index < len(places):
        return places[index]
    return places[-1] if places and places[-1].nargs in {"*", "+"} else None


def _values(action: argparse.Action, connect: "Callable[[], Cluster]") -> list[Candidate]:
    """What an option or an argument may be."""
    if action.choices is not None:
        return [Candidate(str(choice)) for choice in action.choices]
    with suppress(CommandError):
        return list(_NAMES[str(action.metavar)](connect()))
    return []


def _cluster_options(before: Sequence[str]) -> argparse.Namespace:
    """Those of the options that say which cluster it is."""
    parser = argparse.ArgumentParser(add_help=False, exit_on_error=False, allow_abbrev=False)
    for option in ("--kubeconfig", "--context"):
        parser.add_argument(option)
    return parser.parse_known_args(before)[0]


def _nodes(cluster: "Cluster") -> Iterator[Candidate]:
    yield from (Candidate(name_of(body)) for body in cluster.list("Node"))


def _entities(cluster: "Cluster") -> Iterator[tuple[str, Body]]:
    for kind in ("DuraVIP", "Binding"):
        yield from ((kind, body) for body in cluster.list(kind))


def _addresses(cluster: "Cluster") -> Iterator[Candidate]:
    for kind, body in _entities(cluster):
        label = label_of(kind, body)
        if address := spec_of(body).get("address"):
            yield Candidate(str(address), label)
        yield Candidate(label.partition(" ")[2], kind)


def _namespaces(cluster: "Cluster") -> Iterator[Candidate]:
    yield from (Candidate(namespace_of(body)) for _, body in _entities(cluster))


def _groups(cluster: "Cluster") -> Iterator[Candidate]:
    groups = (spec_of(body).get("group") for body in cluster.list("Binding"))
    yield from (Candidate(str(group)) for group in groups if group)


def _bindings(cluster: "Cluster") -> Iterator[Candidate]:
    yield from (Candidate(name_of(body)) for body in cluster.list("Binding"))


def _services(cluster: "Cluster") -> Iterator[Candidate]:
    yield from (Candidate(name_of(body), namespace_of(body)) for body in cluster.services())


_NAMES: Final[Mapping[str, Callable[["Cluster"], Iterator[Candidate]]]] = defaultdict(
    lambda: lambda _: iter(()),
    {
        "NODE": _nodes,
        "ADDRESS": _addresses,
        "ADDRESS|NAME": _addresses,
        "NAME": _services,
        "BINDING": _bindings,
        "GROUP": _groups,
        "NS": _namespaces,
    },
)
"""By what the help calls an argument."""


def main() -> None:
    """`kubectl_complete-duravip`: never says anything but candidates, whatever is wrong."""
    connect = partial(connect_to, timeouts=(TIMEOUT_S, TIMEOUT_S))
    candidates, directive = list[Candidate](), Directive.NO_FILES
    with suppress(CommandError, argparse.ArgumentError):
        candidates, directive = complete(sys.argv[1:], connect)
    lines = [f"{printable(word)}\t{printable(meaning)}" for word, meaning in candidates]
    with suppress(OSError):
        sys.stdout.write("\n".join([*lines, f":{directive:d}"]) + "\n")
        sys.stdout.flush()
