"""What the image of mail holds besides: Postfix of this machine, and what its scripts run."""

from pathlib import Path
from typing import Final

from lab.image import base
from lab.image.oci import Content

FOLDERS: Final = (Path("/usr/lib/postfix"), Path("/etc/postfix"))
PROGRAMS: Final = (
    "postalias", "postcat", "postconf", "postdrop", "postfix", "postkick", "postlock", "postlog",
    "postmap", "postmulti", "postqueue", "postsuper", "sendmail",
)  # fmt: skip
TOOLS: Final = (
    "awk", "basename", "cat", "chgrp", "chmod", "chown", "cmp", "cp", "date", "dirname", "env",
    "expr", "false", "find", "grep", "id", "ln", "ls", "mkdir", "mv", "rm", "sed", "sort", "test",
    "touch", "tr", "true", "uname",
)  # fmt: skip
"""What `postfix check` and `postfix reload` run: they are scripts."""
USERS: Final = ("root", "nobody", "postfix")
GROUPS: Final = ("root", "nogroup", "postfix", "postdrop")


def identity() -> str:
    """What the layer is made of, in one line."""
    found = Path("/usr/lib/postfix/sbin/master").stat()
    made_by = Path(__file__).stat().st_mtime_ns
    return f"{found.st_mtime_ns} {found.st_size} {made_by}"


def entries() -> dict[str, Content]:
    """Everything in the layer."""
    own = [path for folder in FOLDERS for path in folder.rglob("*") if path.is_file()]
    folders = [path for folder in FOLDERS for path in folder.rglob("*") if path.is_dir()]
    programs = [Path("/usr/sbin", name) for name in PROGRAMS]
    tools = [_tool(name) for name in TOOLS]
    binaries = [path for path in (*own, *programs, *tools) if _is_elf(path)]
    found: dict[str, Content] = {base.merged(path): None for path in folders}
    found |= {base.merged(path): path for path in (*own, *programs)}
    found |= {f"usr/bin/{name}": path for name, path in zip(TOOLS, tools, strict=True)}
    found |= {base.merged(path): path for path in base.needed(binaries)}
    found |= {f"etc/{name}": Path("/etc", name) for name in ("services", "protocols")}
    return found | {
        "usr/bin/duravip-mail": Path(__file__).with_name("duravip-mail"),
        "etc/passwd": _lines(Path("/etc/passwd"), USERS),
        "etc/group": _lines(Path("/etc/group"), GROUPS),
    }


def _tool(name: str) -> Path:
    """Its file, whatever alternatives lead to it."""
    return next(Path(f, name).resolve() for f in ("/usr/bin", "/bin") if Path(f, name).exists())


def _is_elf(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def _lines(file: Path, names: tuple[str, ...]) -> bytes:
    lines = file.read_text().splitlines()
    return "".join(f"{line}\n" for line in lines if line.partition(":")[0] in names).encode()
