"""An exception in a sentence, without what is in the rows of a database."""

from __future__ import annotations

import re
import typing as t

from sqlalchemy.exc import DBAPIError

from .async_driver import driver_error
from .run_errors import MigrationFailed

_HIDDEN: t.Final = "***"

# MySQL and MariaDB quote what is in the rows: Duplicate entry 'x' for key 'y'.
_ROW_DATA: t.Final = re.compile(r"(?<=(?:entry|alue:) )'.*?'(?= for )", re.DOTALL)

# A shorter parameter is found in any text.
_SHORTEST: t.Final = 3


def describe(error: BaseException) -> str:
    """An exception in one sentence, without row data.

    :param error: Any exception.
    :return: What the driver said, or the type and the text.
    """
    if isinstance(error, MigrationFailed):
        kind, text = type(error).__name__, str(error)
    elif isinstance(error, DBAPIError) and error.orig is not None:
        kind, text = type(driver_error(error)).__name__, _without_rows(error)
    else:
        kind, text = type(error).__name__, "" if error.args == (None,) else str(error)

    return f"{kind}: {text}" if text else kind


def _without_rows(error: DBAPIError) -> str:
    # The first line is the sentence. PostgreSQL's others quote rows.
    text = next(iter(str(driver_error(error)).strip().splitlines()), "")
    text = _ROW_DATA.sub(f"'{_HIDDEN}'", text)

    for value in _texts(error.params):
        text = text.replace(value, _HIDDEN)

    return text


def _texts(parameters: object) -> t.Iterator[str]:
    if isinstance(parameters, str):
        if len(parameters) >= _SHORTEST:
            yield parameters
    elif isinstance(parameters, t.Mapping):
        yield from _texts(list(parameters.values()))
    elif isinstance(parameters, (list, tuple)):
        for item in parameters:
            yield from _texts(item)
