"""How to reach the API server, and what its refusals mean: one line each."""

import json
import os
from pathlib import Path
from typing import Any, Final

import urllib3
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException, OpenApiException

from duravip_api import GROUP
from duravip_cli.errors import Code, CommandError

FAILURES: Final = (OpenApiException, urllib3.exceptions.HTTPError, OSError)
"""What a request of the client may raise."""
NOT_FOUND: Final = 404


class AbsentError(CommandError):
    """There is no such object, or kind."""


def configuration_from(kubeconfig: str | None, context: str | None) -> Any:
    """Where the API server is, and as whom to ask it; CommandError when that is not known."""
    settings: Any = client.Configuration()
    try:
        if not kubeconfig and not context and _is_in_pod():
            config.load_incluster_config(client_configuration=settings)
        else:
            config.load_kube_config(kubeconfig, context, client_configuration=settings)
    except Exception as error:  # whatever a malformed file makes the library raise
        where = kubeconfig or os.environ.get("KUBECONFIG") or "~/.kube/config"
        why = f"cannot read how to reach the API server ({where}): {error}"
        raise CommandError(why, Code.UNUSABLE) from error
    return settings


def _is_in_pod() -> bool:
    # Not Path.expanduser(): it fails where the user has neither a HOME nor an entry in passwd.
    usual = os.path.expanduser(config.KUBE_CONFIG_DEFAULT_LOCATION)  # noqa: PTH111
    own = os.environ.get("KUBECONFIG") or Path(usual).exists()
    return "KUBERNETES_SERVICE_HOST" in os.environ and not own


def translated(what: str, error: ApiException) -> CommandError:
    """What the API server has against it, in one line."""
    said = _message(error)
    if error.status in {401, 403}:
        return CommandError(f"you may not {what}: {said}")
    if error.status == NOT_FOUND:
        if what.startswith("list ") and GROUP in what:
            why = (
                "the API server does not know DuraVIP's kinds: apply its CustomResourceDefinitions"
            )
            return AbsentError(why, Code.UNUSABLE)
        return AbsentError(f"cannot {what}: {said}")
    return CommandError(f"cannot {what}: {error.status}: {said}")


def _message(error: ApiException) -> str:
    body = error.body.decode(errors="replace") if isinstance(error.body, bytes) else error.body
    try:
        return str(json.loads(body or "")["message"])
    except (ValueError, KeyError, TypeError):
        return str(body or error.reason or "no reason given")[:300]


def cause(error: Exception) -> str:
    """What lies below the client's own words for it."""
    reason = getattr(error, "reason", None)
    return str(reason or error).rpartition(">: ")[2] or str(error)
