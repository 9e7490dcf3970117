"""The documentation as a site: it builds, every link leads somewhere, all pages are listed."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
CONFIG: Final = ROOT / "docs/mkdocs.yml"
FETCHED: Final = re.compile(
    r"<(?:script|img|link)\b[^>]*\b(?:src|href)=[\"']?(?:https?:)?//([^\"'>]+)"
)
NOT_LISTED: Final = {"docs/README.md"}
"""What is a list of the pages itself."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built strictly: anything that is wrong with it is an error."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", f"--config-file={CONFIG}"]
    done = subprocess.run(
        [*command, f"--site-dir={folder}"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder


def test_a_page_fetches_nothing_from_elsewhere(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 20
    fetched = {page.name: FETCHED.findall(page.read_text()) for page in pages}
    assert {name: found for name, found in fetched.items() if found} == {}


def test_nothing_but_the_project_is_published(site: Path) -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    published = {str(page.relative_to(site)) for page in site.rglob("*.html")}
    ours = {re.sub(r"(?:README|index)\.md$", "index.md", name)[:-2] + "html" for name in tracked}
    assert published - ours == {"404.html"}


def test_every_page_of_the_documentation_is_in_the_menu() -> None:
    listed = set(re.findall(r": (\S+\.md)$", CONFIG.read_text(), re.MULTILINE))
    there = {str(page.relative_to(ROOT)) for page in (ROOT / "docs").glob("*.md")}
    assert there - listed == NOT_LISTED
    assert all((ROOT / name).exists() for name in listed)
