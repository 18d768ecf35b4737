"""Errors end a command with a line. What that takes is loaded when there is one."""

from __future__ import annotations

import typing as t
from contextlib import contextmanager

from click import ClickException
from click.exceptions import Abort
from click.exceptions import Exit

if t.TYPE_CHECKING:
    from ..extension import Alembic


@contextmanager
def told(alembic: Alembic, *, full: bool) -> t.Iterator[None]:
    """Turn errors that a user can mend into a line. Others are bugs, and raised.

    :param alembic: The extension, for the passwords that must not be shown.
    :param full: Whether to print the whole traceback too.
    :raises ToldError: For an error that a user can mend, and for SIGTERM.
    :raises Abort: For Ctrl-C, which Click tells and exits for.
    """
    try:
        yield
    except (Abort, ClickException, Exit, GeneratorExit, SystemExit):
        raise
    except BaseException as error:
        from .errors import end

        if (ending := end(error, alembic, full=full)) is None:
            raise

        raise ending from error
