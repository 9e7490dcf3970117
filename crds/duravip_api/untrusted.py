"""What others have written, read so that no form of it is an exception."""

from collections.abc import Mapping
from typing import Any


def mapping_of(part: object) -> Mapping[str, Any]:
    """A mapping as it is; anything else is an empty one."""
    return part if isinstance(part, Mapping) else {}


def list_of(part: object) -> list[Any]:
    """A list as it is; anything else is an empty one."""
    return part if isinstance(part, list) else []
