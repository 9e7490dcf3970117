"""Files, folders and standard input, as text."""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from duravip_cli.errors import Code, CommandError

_SUFFIXES = {".yaml", ".yml", ".json"}


def texts(given: Iterable[str]) -> Iterator[tuple[str, str]]:
    """`(name, content)` of every file named, of every manifest in the folders, and of `-`."""
    for name in given:
        if name == "-":
            yield "(standard input)", sys.stdin.read()
        elif Path(name).is_dir():
            for path in sorted(Path(name).rglob("*")):
                if path.suffix in _SUFFIXES and path.is_file():
                    yield str(path), _content(path)
        else:
            yield name, _content(Path(name))


def _content(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise CommandError(f"cannot read {path}: {why}", Code.UNUSABLE) from error
