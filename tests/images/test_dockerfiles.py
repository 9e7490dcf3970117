"""What the Dockerfiles build: each image by itself, in a pod's straits."""

import json
from collections.abc import Mapping

import pytest

from duravip_runtime.settings import PROGRAM_VERSION
from images.dockerfiles import BASE
from lab.docker_engine import Engine
from lab.images import USERS

STRAITS = ("--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges")
STRANGER = "--user=1234567:1234567"
AS_ROOT = ("--user=0:0", "--entrypoint=/bin/sh")
RIGHTS_OF_OTHERS = "find / -xdev -type f -perm /6000"
INSTALLERS = """
for python in /opt/duravip/bin/python /usr/local/bin/python /usr/bin/python3; do
  if [ -e $python ]; then $python -c 'import importlib.util as u
for name in ("pip", "setuptools"):
    if u.find_spec(name): print(name)'; fi
done
command -v pip || :
"""
OWN = {"operator": {"kopf"}, "agent": {"pyroute2"}, "mail": set[str]()}
ASK = "import importlib.util as u; print(*(m for m in ('kopf', 'pyroute2') if u.find_spec(m)))"

every_program = pytest.mark.parametrize("program", USERS)


@every_program
@pytest.mark.parametrize("user", ["", STRANGER], ids=["own-uid", "any-uid"])
def test_it_starts_on_a_read_only_root_without_any_capability(
    engine: Engine, built: Mapping[str, str], program: str, user: str
) -> None:
    options = [*STRAITS, *([user] if user else [])]
    assert engine.run(built[program], "--version", options=options).strip() == PROGRAM_VERSION
    assert f"duravip-{program}" in engine.run(built[program], "--help", options=options)


@every_program
def test_it_says_what_it_is(engine: Engine, built: Mapping[str, str], program: str) -> None:
    (image,) = json.loads(engine.docker("inspect", built[program]))
    assert image["Config"]["Labels"] == {
        "org.opencontainers.image.title": f"duravip-{program}",
        "org.opencontainers.image.licenses": "Apache-2.0",
    }
    assert image["Config"]["User"] == USERS[program], "as in the images that are made without it"
    licence = engine.run(
        built[program], "/usr/share/doc/duravip/LICENSE", options=["--entrypoint=cat"]
    )
    assert "Apache License" in licence


@every_program
def test_nothing_in_it_gives_rights_or_installs(
    engine: Engine, built: Mapping[str, str], program: str
) -> None:
    for script in (RIGHTS_OF_OTHERS, INSTALLERS):
        assert engine.run(built[program], "-c", script, options=AS_ROOT) == ""


def test_the_base_has_what_the_dockerfiles_take_away(engine: Engine) -> None:
    # Without this the test before could not fail.
    for script in (RIGHTS_OF_OTHERS, INSTALLERS):
        assert engine.run(BASE, "-c", script, options=AS_ROOT) != ""


@every_program
def test_it_has_its_own_dependencies_and_not_the_others(
    engine: Engine, built: Mapping[str, str], program: str
) -> None:
    shown = engine.run(built[program], "-c", ASK, options=["--entrypoint=/opt/duravip/bin/python"])
    assert set(shown.split()) == OWN[program]
