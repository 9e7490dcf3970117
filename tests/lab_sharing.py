"""A pytest plugin: where several processes share the tests, those of one lab stay together.

A module is of the lab that it names by `LAB`, else of its own. (pytest-xdist's own groups are not
kept with pytest 9.2.)
"""

import re
from pathlib import Path
from typing import Any

import pytest

LAB = re.compile(r'^LAB = "(\w+)"$', re.MULTILINE)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Share out labs where files would be."""
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling  # noqa: PLC0415 - not where xdist is off

    class ByLab(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            named = LAB.search((config.rootpath / file).read_text())
            return f"{Path(file).parent}/{named[1]}" if named else file

    return ByLab(config, log)
