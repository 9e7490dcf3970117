"""Runs a module's tests with cut after cut: `python -m mutation.child FILE POSITION...`.

Prints a line for each: the position, and how the tests ended; the first is -1, the module as it
is. The tests are loaded once. For each mutant a process is split off from there, the functions of
the module get the mutant's code in it, and the tests run up to the first that fails.
"""

import ast
import os
import resource
import select
import signal
import sys
from collections.abc import Iterator
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any, TextIO

import hypothesis
import pytest

from mutation.mutants import mutants
from mutation.targets import TARGETS, TIMEOUT, Target

QUIETLY = (
    *("-q", "--no-header", "--tb=no", "-p", "no:cacheprovider", "-p", "no:xdist"),
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),
)


def main() -> None:
    """Try one after the other."""
    file, *positions = sys.argv[1:]
    target = next(target for target in TARGETS if target.file == file)
    phases = (hypothesis.Phase.explicit, hypothesis.Phase.generate)  # one example is enough
    hypothesis.settings.register_profile(
        "quick", database=None, deadline=None, derandomize=True, phases=phases
    )
    hypothesis.settings.load_profile("quick")
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    trials = _Trials(target, [-1, *map(int, positions)], answers)
    sys.exit(pytest.main([*QUIETLY, *target.tests], [trials]))


class _Trials:
    """Runs the collected tests for each mutant, in place of running them once."""

    def __init__(self, target: Target, positions: list[int], answers: TextIO) -> None:
        self._target, self._positions, self._answers = target, positions, answers
        self._most = resource.RLIM_INFINITY
        """Seconds of work: a mutant that has come into a loop is found as well."""
        self._trees = [mutant.tree for mutant in mutants(Path(target.file).read_text())]

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """All that was collected is here; the tests themselves run in the processes split off."""
        for position in self._positions:
            print(position, self._tried(position, session), file=self._answers, flush=True)
            if position < 0:
                self._most = 2 + 3 * round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime)
        return True

    def _tried(self, position: int, session: pytest.Session) -> str:
        """`passed`, `failed`, or whatever else happened."""
        child = os.fork()
        if not child:
            resource.setrlimit(resource.RLIMIT_CPU, (self._most, self._most))
            try:
                if position >= 0:
                    put(self._target, self._trees[position])
                os._exit(not _all_pass(session))
            except BaseException:  # noqa: BLE001 - what it broke is found
                os._exit(1)
        done = os.pidfd_open(child)
        ended, _, _ = select.select([done], [], [], TIMEOUT)
        os.close(done)
        if not ended:
            os.kill(child, signal.SIGKILL)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        return {0: "passed", 1: "failed"}.get(code, "failed" if code < 0 else f"ended with {code}")


def _all_pass(session: pytest.Session) -> bool:
    for item, following in pairwise([*session.items, None]):
        assert item is not None
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.testsfailed:
            return False
    return bool(session.items)


def put(target: Target, tree: ast.Module) -> None:
    """Give the functions of the module, and its constants, to all who have them already."""
    module = import_module(target.module)
    compiled = compile(tree, target.file, "exec")
    codes = {code.co_qualname: code for code in _codes(compiled)}
    for function in _functions(module):
        if code := codes.get(function.__qualname__):
            function.__code__ = code
    names: dict[str, Any] = {"__name__": module.__name__}
    exec(compiled, names)  # noqa: S102 - for the constants: all else stays what others hold
    for name, value in names.items():
        before = getattr(module, name, value)
        if isinstance(value, int | float | str | bytes | tuple) and value != before:
            for other in list(sys.modules.values()):
                if getattr(other, name, None) is before:
                    setattr(other, name, value)


def _codes(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _codes(constant)


def _functions(thing: ModuleType | type) -> Iterator[FunctionType]:
    """All of a module or class, those behind decorators included."""
    where = thing.__name__ if isinstance(thing, ModuleType) else thing.__module__
    for value in list(vars(thing).values()):
        if isinstance(value, type) and value.__module__ == where and value is not thing:
            yield from _functions(value)
            continue
        found: Any = getattr(value, "fget", None) or getattr(value, "func", None) or value
        found = getattr(found, "__func__", found)
        while not isinstance(found, FunctionType) and hasattr(found, "__wrapped__"):
            found = found.__wrapped__
        if isinstance(found, FunctionType) and found.__module__ == where:
            yield found


if __name__ == "__main__":
    main()
