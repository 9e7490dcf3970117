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
from duravip_cli.context import Api, Context
from duravip_cli.errors import CommandError, ExitCode
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
        code = ExitCode.OK
    except KeyboardInterrupt:
        code = ExitCode.PROBLEM
    sys.exit(int(code))


def run(
    words: list[str],
    connect: Callable[[Namespace], Api] | None = None,
    sleep: Callable[[float], None] = time.sleep,
    prompt: Callable[[str], str | None] | None = None,
) -> ExitCode:
    """Run one verb, and give the exit code; a CommandError becomes one line on standard error."""
    try:
        arguments = parse(words, VERBS, load_verb)
        api = partial(connect or _connect, arguments)
        output = Output(arguments.output or "table")
        context = Context(arguments, api, output, sleep, prompt or _prompt)
        return load_verb(arguments.verb).run(context)
    except CommandError as error:
        sys.stdout.flush()
        sys.stderr.write(f"kubectl-duravip: {printable(str(error))}\n")
        return error.code


def load_verb(name: str) -> VerbModule:
    """Import a verb: the first time takes a quarter of a second."""
    module: Any = import_module(f"{verbs.__name__}.{name}")
    verb: VerbModule = module
    return verb


def _prompt(question: str) -> str | None:
    """The line typed in answer to a question; None without a terminal."""
    if not sys.stdin.isatty():
        return None
    sys.stderr.write(printable(question))
    sys.stderr.flush()
    return sys.stdin.readline()


def _connect(arguments: Namespace) -> Api:
    # Not imported at the top: the client takes a third of a second.
    from duravip_cli.cluster import Cluster  # noqa: PLC0415

    return Cluster(arguments.kubeconfig, arguments.context)


if __name__ == "__main__":
    main()
