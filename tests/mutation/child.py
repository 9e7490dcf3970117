"""Runs a module's tests with cut after cut: `python -m mutation.child FILE POSITION...`.

Prints a line for each: the position, and how the tests ended; the first is -1, the module as it
is. That run loads everything, and each mutant is tried in a process that was split off from there,
in which the functions of the module got the mutant's code.
"""

import ast
import os
import select
import signal
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import hypothesis
import pytest

from mutation.mutants import mutants
from mutation.targets import TARGETS, TIMEOUT, Target

QUIETLY = (
    *("-x", "-q", "--no-header", "-p", "no:cacheprovider", "-p", "no:xdist"),
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),
)


def main() -> None:
    """Try one after the other."""
    file, *positions = sys.argv[1:]
    target = next(target for target in TARGETS if target.file == file)
    trees = [mutant.tree for mutant in mutants(Path(file).read_text())]
    hypothesis.settings.register_profile("quick", database=None, deadline=None, derandomize=True)
    hypothesis.settings.load_profile("quick")
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    print(-1, "passed" if not _run(target) else "failed", file=answers, flush=True)
    for position in map(int, positions):
        print(position, _tried(target, trees[position]), file=answers, flush=True)


def _tried(target: Target, tree: ast.Module) -> str:
    """`passed`, `failed`, or whatever else happened."""
    child = os.fork()
    if not child:
        try:
            put(target, tree)
            os._exit(_run(target))
        except BaseException:  # noqa: BLE001 - what it broke is found
            os._exit(1)
    done = os.pidfd_open(child)
    ended, _, _ = select.select([done], [], [], TIMEOUT)
    os.close(done)
    if not ended:
        os.kill(child, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return {0: "passed", 1: "failed"}.get(code, "failed" if code < 0 else f"ended with {code}")


def _run(target: Target) -> int:
    first, *more = target.tests
    for tests in filter(
        None, ([first], more)
    ):  # most are dead with the first, and the others need not be read
        if code := pytest.main([*QUIETLY, *tests]):
            return int(code)
    return 0


def put(target: Target, tree: ast.Module) -> None:
    """Give the functions of the module, and its constants, to all who have them already."""
    module = import_module(target.module)
    compiled = compile(tree, target.file, "exec")
    codes = {code.co_qualname: code for code in _codes(compiled)}
    for function in _functions(module):
        if code := codes.get(function.__qualname__):
            function.__code__ = code
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant):
            name, value = ast.unparse(statement.targets[0]), statement.value.value
            before = getattr(module, name)
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
