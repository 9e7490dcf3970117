"""The documentation: nothing in it is out of date by itself, and no link leads nowhere."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from e2e.pages import COMMANDS, blocks
from e2e.pages import EVERYWHERE as PAGES
from e2e.pages import PAGES as READ_BY_USERS
from shape.test_commands import READ

ROOT = Path(__file__).resolve().parents[2]
FILES = subprocess.run(
    ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
    cwd=ROOT, check=True, capture_output=True, text=True,
).stdout.split()  # fmt: skip
ENDS = {"/".join(path.split("/")[-n:]) for path in FILES for n in range(1, 8)}
"""Every file by its name, and by as many of its folders as a page may name."""
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
NAMED_FILE = re.compile(r"`([\w./-]+\w\.(?:py|yaml|toml|svg))(?:::\w+)?`")
TYPED = re.compile(
    r"^(?:\$ )?(?:\w+=\S+ )*(?:kubectl|helm|make|curl|docker|export|pip|python3?|duravip-\w+) ",
    re.MULTILINE,
)
MOST_EXCUSES = 7
"""Not run: what needs another controller, docker, a registry, a cluster of its own or Postfix."""
CONSTANT = re.compile(r"`([A-Z][A-Z_]+)`")


def anchors(page: Path) -> set[str]:
    """What a link may name after the #, as Git forges make it from the headings."""
    headings = HEADING.findall(page.read_text())
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_reference_is_what_the_models_say() -> None:
    check = [sys.executable, str(ROOT / "docs/write_reference.py"), "--check"]
    assert subprocess.run(check, check=False).returncode == 0, "run `make docs`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in LINK.findall(page.read_text()):
        path, _, anchor = link.partition("#")
        if "://" in path or path.startswith("mailto:"):
            continue
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{link} leads nowhere"
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), f"{link}: there is no such heading"


def test_the_listing_of_the_page_on_services_is_part_of_the_example_that_it_names() -> None:
    listing = next(b.text for b in blocks(ROOT / "docs/services.md") if b.language == "yaml")
    example = (ROOT / "docs/examples/workloads/loadbalancer.yaml").read_text()
    listed, whole = (list(yaml.safe_load_all(text)) for text in (listing, example))
    assert len(listed) > 1
    assert [item for item in listed if item not in whole] == []


def test_every_test_that_the_security_page_names_is_there() -> None:
    named = re.findall(r"`(tests/[\w/.]+)(?:::(\w+))?`", (ROOT / "docs/security.md").read_text())
    assert len(named) > 20
    for path, name in named:
        assert (ROOT / path).exists(), f"there is no {path}"
        assert not name or f"def {name}(" in (ROOT / path).read_text(), f"{path} has no {name}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_that_is_named_is_there(page: Path) -> None:
    named = {path.removeprefix("./") for path in NAMED_FILE.findall(page.read_text())}
    assert not named - ENDS


def test_every_constant_and_thread_that_the_architecture_names_is_there() -> None:
    page = (ROOT / "docs/architecture.md").read_text()
    modules = [(ROOT / path).read_text() for path in FILES if re.match(r"\w+/duravip_.*py$", path)]
    sources = "\n".join(modules)
    constants = set(CONSTANT.findall(page))
    assert len(constants) > 8
    assert not {name for name in constants if not re.search(rf"^{name}\b", sources, re.MULTILINE)}
    threads = page.partition("## Threads")[2].partition("## The wire format")[0]
    named = {name for row in re.findall(r"^\|([^|]*)\|", threads, re.MULTILINE)
             for name in re.findall(r"`([a-z-]+?)(?:-\d)?`", row)}  # fmt: skip
    assert len(named) > 12
    assert not {name for name in named if not re.search(rf'name(_prefix)?=f?"{name}\b', sources)}


@pytest.mark.parametrize(
    "package",
    [
        "crds/duravip_api",
        "crds/duravip_runtime",
        "operator/duravip_operator",
        "agent/duravip_agent",
        "cli/duravip_cli",
        "mail/duravip_mail",
    ],
)
def test_every_module_of_a_package_is_in_its_readme(package: str) -> None:
    page = (ROOT / package).parent / "README.md"
    named = {Path(path).name for path in NAMED_FILE.findall(page.read_text())}
    modules = [Path(path) for path in FILES if path.startswith(f"{package}/")]
    own = {path.name for path in modules if path.suffix == ".py" and path.parent.name != "verbs"}
    assert not own - named - {"__init__.py", "__main__.py"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_are_fenced_as_such_and_a_test_runs_them_or_does_what_they_do(page: Path) -> None:
    for block in blocks(page):
        where = f"{block.page}:{block.line}"
        assert block.language in COMMANDS or not TYPED.search(block.text), where
        assert block.language not in COMMANDS or block.commands, where
        if page not in READ_BY_USERS and not block.excuse:
            assert [command for command in block.commands if not READ.match(command)] == [], where
        if block.excuse:
            named = re.findall(r"tests/[\w/]+(?:\.py)?", block.excuse)
            assert named, f"{where}: which test does it?"
            assert all((ROOT / path).exists() for path in named), where


def test_few_commands_are_not_run() -> None:
    found = [block for page in READ_BY_USERS for block in blocks(page) if block.commands]
    excused = [block for block in found if block.excuse]
    for block in excused:
        print(f"{block.page}:{block.line} is not run: {block.excuse}")
    assert len({block.excuse for block in excused}) <= MOST_EXCUSES
    assert len(found) - len(excused) >= 10
