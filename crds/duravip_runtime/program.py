"""How every program begins to log, and ends with an exit code."""

import logging
import os
import sys
from collections.abc import Callable
from typing import NoReturn

from duravip_runtime import log_format
from duravip_runtime.settings import LoggedSettings, SettingsError, unknown_variables

log = logging.getLogger(__name__)


def begin_logging(settings: LoggedSettings) -> None:
    """As the settings want it; what looks like a setting and is none is said first."""
    log_format.set_up(settings.log_format, settings.log_level)
    if strange := unknown_variables(os.environ, type(settings).model_fields):
        log.warning(strange)


def run_program(
    program: str, work: Callable[[], int], refusals: tuple[type[Exception], ...] = ()
) -> NoReturn:
    """Do the work, and end the process with the code that it gives.

    2 with one line for a SettingsError and for `refusals`: it cannot run as it is set up; 1 for
    any other exception, which is logged.
    """
    refused: tuple[type[Exception], ...] = (SettingsError, *refusals)
    try:
        code = work()
    except refused as error:
        sys.stderr.write(f"{program}: {error}\n")
        code = 2
    except Exception:
        log.exception("%s ends", program)
        code = 1
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # whatever some thread still waits for
