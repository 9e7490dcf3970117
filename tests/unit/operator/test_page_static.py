"""The files that the live page is made of: few, small, all there, and no markup from data."""

import re
from pathlib import Path

import duravip_operator.page

STATIC = Path(duravip_operator.page.__file__).with_name("static")
FILES = {file.name: file.read_text() for file in STATIC.iterdir()}
SCRIPTS = {name: text for name, text in FILES.items() if name.endswith(".js")}
MARKUP = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function"
)


def test_nothing_writes_markup_or_runs_text() -> None:
    assert not {name for name, text in SCRIPTS.items() if MARKUP.search(text)}


def test_every_file_that_is_asked_for_is_there() -> None:
    page = FILES["index.html"]
    asked = re.findall(r'(?:src|href)="([^"#]+)"', page)
    asked += [name for text in SCRIPTS.values() for name in re.findall(r'from "\./([^"]+)"', text)]
    assert set(asked) | {"index.html"} == FILES.keys()


def test_every_element_that_a_script_looks_for_is_there() -> None:
    there = set(re.findall(r'\bid="([^"]+)"', FILES["index.html"]))
    asked = {name for text in SCRIPTS.values() for name in re.findall(r'find\("([\w-]+)"\)', text)}
    assert asked <= there


def test_the_page_is_small_and_its_files_are_short() -> None:
    assert sum(map(len, FILES.values())) < 64_000
    assert all(len(text.splitlines()) <= 400 for text in FILES.values())
