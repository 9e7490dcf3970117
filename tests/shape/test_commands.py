"""The commands that any Markdown file names, in its blocks or in its prose: all can be typed.

tests/e2e/test_docs.py types those of README.md and docs/. Those of other pages measure for hours,
or start clusters of their own, so here they are read by what would carry them out: by make, by the
parser of `kubectl duravip`, and by each program as it is asked for its `--help`. Prose leaves
arguments out: of that only the verb and the options count. tests/chart/test_pages.py has Helm's.
"""

import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

from duravip_agent.settings import Settings as AgentSettings
from duravip_cli.__main__ import VERBS, load_verb
from duravip_cli.command_line import parse, verb_parser
from duravip_hooks.settings import Settings as HooksSettings
from duravip_mail.settings import Settings as MailSettings
from duravip_operator.settings import Settings as OperatorSettings
from duravip_runtime.settings import PREFIX
from e2e.pages import EVERYWHERE, ROOT, blocks, spans

READ = re.compile(
    r"(?:\w+=\S+ )*(?:make|python -m|kubectl duravip|helm (?:install|upgrade))(?: |$)"
)
"""The commands that are read."""
BEFORE = re.compile(r"^(?:\w+=\S+ )+")
BEHIND = re.compile(r"\s+[#|;&>].*$")
"""What the shell takes for itself."""
OPTION = re.compile(r"(?<![\w-])--?[a-z][\w-]*")
VARIABLE = re.compile(rf"\b{PREFIX}[A-Z_]+[A-Z]\b")
SETTINGS = (OperatorSettings, AgentSettings, HooksSettings, MailSettings)
SOURCES = "\n".join(path.read_text() for path in ROOT.glob("*/duravip_*/**/*.py"))


def named(begin: str, found: Sequence[str]) -> list[str]:
    """The commands among these that begin like this, each once."""
    bare = {BEHIND.sub("", BEFORE.sub("", command)) for command in found}
    return sorted(command for command in bare if re.match(rf"{begin}(?: |$)", command))


TYPED = [c for page in EVERYWHERE for block in blocks(page) for c in block.commands]
"""Those in blocks: whole ones."""
IN_PROSE = [span for page in EVERYWHERE for span in spans(page)]
SHORT = [
    f"kubectl duravip {span}" for span in IN_PROSE if re.match(rf"(?:{'|'.join(VERBS)}) .*-", span)
]
"""As `show -w` is one for short, where a page is about the program."""
ALL = [*TYPED, *IN_PROSE]


def run(*argv: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)


@cache
def program_help(program: str, *verb: str) -> str:
    done = run(str(Path(sys.executable).with_name(program)), *verb, "--help")
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("command", named("make", ALL))
def test_make_has_the_targets_and_the_variables(command: str) -> None:
    _, *words = command.split()
    done = run("make", "--dry-run", *words)
    assert done.returncode == 0, done.stderr
    makefile = (ROOT / "Makefile").read_text()
    for variable in (word.partition("=")[0] for word in words if "=" in word):
        assert re.search(rf"\$\((?:\w+ )?{variable}\b", makefile), variable


@pytest.mark.parametrize("command", named("python -m", ALL))
def test_python_has_the_module_and_this_the_options(command: str) -> None:
    module, *words = shlex.split(command)[2:]
    spec = find_spec(module)
    if spec and spec.submodule_search_locations:
        spec = find_spec(f"{module}.__main__")
    assert spec, f"there is no program {module}"
    assert spec.origin
    source = Path(spec.origin).read_text()
    assert 'if __name__ == "__main__":' in source
    if "argparse" in source:
        done = run(sys.executable, "-m", module, *words, "--help", folder=ROOT / "tests")
        assert done.returncode == 0, done.stderr
        assert {*OPTION.findall(command)} - {"-m"} <= {*OPTION.findall(done.stdout)}


@pytest.mark.parametrize("command", named("kubectl duravip", TYPED))
def test_the_cli_takes_what_a_block_has(command: str) -> None:
    parse(shlex.split(command)[2:], VERBS, load_verb)


@pytest.mark.parametrize("command", named("kubectl duravip", [*IN_PROSE, *SHORT]))
def test_the_cli_has_the_verb_and_the_options_that_prose_names(command: str) -> None:
    verb = command.split()[2:3]
    assert {*verb} <= {*VERBS}
    if verb:
        options = verb_parser(load_verb(*verb)).options
        taken = {name for option in options for name in option.option_strings}
        assert {*OPTION.findall(command)} <= taken


@pytest.mark.parametrize("command", named("duravip-(?:operator|agent|hooks|mail) .*", ALL))
def test_a_program_has_the_verb_and_the_options(command: str) -> None:
    program, *words = command.split()
    verb = [word for word in words[:1] if word.islower() and word.isalpha()]
    assert {*OPTION.findall(command)} <= {*OPTION.findall(program_help(program, *verb))}


def test_every_variable_is_a_setting_or_in_the_sources() -> None:
    fields = {name for settings in SETTINGS for name in settings.model_fields}
    settings = {f"{PREFIX}{name.upper()}" for name in fields}
    found = {name for page in EVERYWHERE for name in VARIABLE.findall(page.read_text())}
    assert found & settings
    assert not {name for name in found - settings if f'"{name}"' not in SOURCES}


def test_there_are_commands_of_each_sort() -> None:
    for begin, least in (("make", 20), ("python -m", 15), ("kubectl duravip", 60)):
        assert len(named(begin, ALL)) >= least, begin
