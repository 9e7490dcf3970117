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
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from duravip_cli import verbs
from duravip_cli.command_line import parse
from duravip_cli.context import Context
from duravip_cli.errors import CommandError, ExitCode
from duravip_cli.output import Output, drop_output
from duravip_runtime.text import printable

if TYPE_CHECKING:
    from duravip_cli.cluster import Cluster

_MODULES: Final = {
    module.name.removesuffix("_"): module.name for module in iter_modules(verbs.__path__)
}
"""By verb; a verb that is a word of Python's has an underscore behind its module's name."""

VERBS: Final = tuple(sorted(_MODULES))


def main() -> None:
    """Run the program, and end with its exit code."""
    for stream in (sys.stdout, sys.stderr):  # whatever the locale can show
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    gc.disable()  # a quarter of the time for ten thousand objects, none of which is garbage
    try:
        code = run(sys.argv[1:])
    except BrokenPipeError:  # `| head` has seen enough
        drop_output()
        code = ExitCode.OK
    except KeyboardInterrupt:
        code = ExitCode.PROBLEM
    except Exception as error:
        if os.environ.get("DURAVIP_TRACEBACK"):
            raise
        sys.stderr.write(f"kubectl-duravip: {printable(_fault(error))}\n")
        code = ExitCode.PROBLEM
    sys.exit(int(code))


def run(
    words: list[str],
    connect: "Callable[[Namespace], Cluster] | None" = None,
    sleep: Callable[[float], None] = time.sleep,
    prompt: Callable[[str], str | None] | None = None,
) -> ExitCode:
    """Run one verb, and give the exit code; a CommandError becomes one line on standard error."""
    try:
        arguments = parse(words, VERBS, load_verb)
        api = partial(connect or connect_to, arguments)
        output = Output(arguments.output or "table")
        if not arguments.verb:
            output.block(arguments.help)
            return ExitCode.OK
        context = Context(arguments, api, output, sleep, prompt or _prompt)
        code: ExitCode = load_verb(arguments.verb).run(context)
    except CommandError as error:
        sys.stderr.write(f"kubectl-duravip: {printable(str(error))}\n")
        code = error.code
    return code


def _fault(error: Exception) -> str:
    what = f"{type(error).__name__}: {' '.join(str(error).split())}"
    return f"this is a fault of the program ({what}); DURAVIP_TRACEBACK=1 shows where it is"


def load_verb(name: str) -> ModuleType:
    """Import a verb: the first time takes a quarter of a second."""
    return import_module(f"{verbs.__name__}.{_MODULES[name]}")


def _prompt(question: str) -> str | None:
    """The line typed in answer to a question; None without a terminal."""
    if not sys.stdin.isatty():
        return None
    sys.stderr.write(printable(question))
    sys.stderr.flush()
    return sys.stdin.readline()


def connect_to(arguments: Namespace, **options: Any) -> "Cluster":
    """The cluster that the arguments name; raises CommandError."""
    # Not imported at the top: the client takes a third of a second.
    from duravip_cli.cluster import Cluster  # noqa: PLC0415

    return Cluster(arguments.kubeconfig, arguments.context, **options)


if __name__ == "__main__":
    main()
