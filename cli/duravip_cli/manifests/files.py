"""Reads the text of files, folders and standard input."""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from duravip_cli.errors import CommandError, ExitCode
from duravip_cli.manifests.yaml_reader import MAX_BYTES

_SUFFIXES = {".yaml", ".yml", ".json"}


def read_files(given: Iterable[str]) -> Iterator[tuple[str, str]]:
    """`(name, content)` of every file named, of every manifest in the folders, and of `-`."""
    for name in given:
        if name == "-":
            where = "(standard input)"
            yield where, _decoded(where, sys.stdin.buffer.read(MAX_BYTES + 1))
        elif Path(name).is_dir():
            for path in sorted(Path(name).rglob("*")):
                if path.suffix in _SUFFIXES and path.is_file():
                    yield str(path), _content(path)
        else:
            yield name, _content(Path(name))


def _content(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise CommandError(f"cannot read {path}: {error.strerror}", ExitCode.USAGE) from error
    return _decoded(str(path), data)


def _decoded(where: str, data: bytes) -> str:
    """Decode UTF-8, as kubectl does, whatever the locale is."""
    if len(data) > MAX_BYTES:
        why = f"cannot read {where}: it is larger than {MAX_BYTES // 1024**2} MiB"
        raise CommandError(why, ExitCode.USAGE)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise CommandError(f"cannot read {where}: it is no text", ExitCode.USAGE) from error
