"""`kubectl-duravip`: reads the command line, runs one verb, gives the exit code."""

import gc
import os
import sys
import time
from argparse import Namespace
from collections.abc import Callable
from functools import partial
from importlib import import_module
from io import TextIOWrapper
from pkgutil import iter_modules
from typing import Any, Final

from duravip_cli import verbs
from duravip_cli.command_line import VerbModule, parse
from duravip_cli.context import Api, Call
from duravip_cli.errors import Code, CommandError
from duravip_cli.output import Output
from duravip_runtime.text import printable

VERBS: Final = tuple(sorted(module.name for module in iter_modules(verbs.__path__)))


def main() -> None:
    """Run the program, and end with its exit code."""
    for stream in (sys.stdout, sys.stderr):  # whatever the locale can show
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    gc.disable()  # a quarter of the time for ten thousand objects, none of which is garbage
    try:
        code = run(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = Code.FINE
    except KeyboardInterrupt:
        code = Code.PROBLEM
    sys.exit(int(code))


def run(
    arguments: list[str],
    connect: Callable[[Namespace], Api] | None = None,
    sleep: Callable[[float], None] = time.sleep,
    typed: Callable[[str], str | None] | None = None,
) -> Code:
    """Run one verb; what it cannot do is one line on standard error."""
    connect = connect or _connected
    try:
        asked = parse(arguments, VERBS, load_verb)
        output = Output(asked.output or "table")
        call = Call(asked, partial(connect, asked), output, sleep, typed or _typed)
        code = load_verb(asked.verb).run(call)
    except CommandError as error:
        sys.stdout.flush()
        sys.stderr.write(f"kubectl-duravip: {printable(str(error))}\n")
        return error.code
    return code


def load_verb(name: str) -> VerbModule:
    """Import a verb: the first time takes a quarter of a second."""
    module: Any = import_module(f"{verbs.__name__}.{name}")
    found: VerbModule = module
    return found


def _typed(question: str) -> str | None:
    """What somebody at the terminal answers; None when there is none, or nothing comes."""
    if not sys.stdin.isatty():
        return None
    sys.stderr.write(printable(question))
    sys.stderr.flush()
    return sys.stdin.readline()


def _connected(asked: Namespace) -> Api:
    # Not imported at the top: the client takes a third of a second.
    from duravip_cli.cluster import Cluster  # noqa: PLC0415

    return Cluster(asked.kubeconfig, asked.context)


if __name__ == "__main__":
    main()
