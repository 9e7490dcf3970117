"""axe-core, which finds what keeps people with disabilities from using a page.

An exact version of the npm package, fetched once and kept with what else takes long to get.
"""

import base64
import hashlib
import os
import tarfile
import tempfile
from pathlib import Path
from typing import Any, Final

from lab import programs
from lab.processes import run
from page.chromium import Browser

PACKAGE: Final = "axe-core@4.10.3"
FILE: Final = "axe-core-4.10.3.tgz"
SHA512: Final = (
    "Xm7bpRXnDSX2YE2YFfBk2FnF0ep6tmG7xPh8iHee8MIcrgq762Nkce856dYtJYLkuIoYZvGfTs/PbZhideTcEg=="
)
TAGS: Final = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
RUN: Final = """
return axe.run(document, {runOnly: {type: "tag", values: arguments[0]}}).then((found) =>
  found.violations.map((one) => `${one.id}: ${one.help}: ` +
    one.nodes.map((node) => `${node.html} ${node.failureSummary}`).join(" | ")));
"""


def script() -> str:
    """Its source."""
    kept = programs.cache() / FILE
    with programs.alone(kept.with_suffix(".lock")):
        if not kept.exists():
            with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
                run(["npm", "pack", "--silent", f"--pack-destination={folder}", PACKAGE])
                os.replace(Path(folder, FILE), kept)  # noqa: PTH105 - pathlib's is the same
    digest = base64.b64encode(hashlib.sha512(kept.read_bytes()).digest()).decode()
    assert digest == SHA512, f"{kept} is not {PACKAGE}"
    with tarfile.open(kept) as package:
        member = package.extractfile("package/axe.min.js")
        assert member is not None
        return member.read().decode()


def violations(browser: Browser) -> list[Any]:
    """What it finds on the page as it is now; nothing that it adds stays within the policy."""
    browser.run(f"if (!window.axe) {{ {script()} }}")
    found: list[Any] = browser.run(RUN, TAGS)
    return found


if __name__ == "__main__":
    script()  # `make requirements` fetches it
