"""Writes YAML that kubectl reads as it was meant: what it would take for a number is quoted."""

from collections.abc import Iterable
from typing import Any, Final

import yaml

from duravip_cli.manifests.yaml_reader import is_plain_text

_WIDTH: Final = 100


class _Dumper(yaml.SafeDumper):
    """Without anchors, and with more quotes than PyYAML's own."""

    def ignore_aliases(self, _data: Any) -> bool:
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = None if is_plain_text(text) else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style)


_Dumper.add_representer(str, _represent_text)


def format_documents(bodies: Iterable[Any]) -> str:
    """The bodies as YAML documents, their fields in the order that they have."""
    text: str = yaml.dump_all(
        bodies, Dumper=_Dumper, sort_keys=False, width=_WIDTH, explicit_start=True
    )
    return text
