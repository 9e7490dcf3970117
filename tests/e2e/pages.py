"""What the documentation tells people to type: the blocks of commands of each page.

A block is fenced as `bash`, or as `console` where what it prints is shown, too: then its commands
begin with `$`. An HTML comment above it, which no reader sees, says `on: n1` where it belongs on
that node, or `not run:` with the reason and the test that does what it does.

Prose names commands, too, between backticks.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
EVERYWHERE: Final = tuple(sorted(p for p in ROOT.rglob("*.md") if ".venv" not in p.parts))
"""All Markdown files, those for developers as well."""
FENCE: Final = re.compile(
    r"(?:<!-- (?P<word>on|not run): (?P<mark>[^>]*) -->\n+)?"
    r"^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
COMMANDS: Final = ("bash", "console")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of a page."""

    page: str
    line: int
    language: str
    text: str
    node: str = ""
    """The machine that its commands are for; empty: wherever people have their kubeconfig."""
    excuse: str = ""
    """Why no test runs it, and which one does what it does."""

    @property
    def commands(self) -> list[str]:
        """One for each line, with those that it goes on in; of other blocks none."""
        if self.language not in COMMANDS:
            return []
        lines = self.text.replace("\\\n", " ").splitlines()
        if self.language == "console":
            lines = [line[2:] for line in lines if line.startswith("$ ")]
        return [line.strip() for line in lines if line.strip()]


def blocks(page: Path) -> list[Block]:
    """All fenced blocks of a page, in its order."""
    text = page.read_text()
    name = str(page.relative_to(ROOT))
    found = []
    for fence in FENCE.finditer(text):
        line = text.count("\n", 0, fence.start("language")) + 1
        marked = {str(fence["word"]): fence["mark"]}
        node, excuse = marked.get("on", ""), marked.get("not run", "")
        found.append(Block(name, line, fence["language"], fence["text"], node, excuse))
    return found


def spans(page: Path) -> list[str]:
    """What stands between backticks in a page's prose, each on one line."""
    prose = FENCE.sub("", page.read_text())
    return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose)]
