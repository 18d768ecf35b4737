"""What a run tells while it lasts: the log of this package, as lines on stderr."""

from __future__ import annotations

import logging
import typing as t
from contextlib import contextmanager

import click

from .group import QUIET
from .options import alembic_log


class _Lines(logging.Handler):
    """Prints a record as people read it."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print it.

        :param record: What was logged.
        """
        kind = "Warning: " if record.levelno >= logging.WARNING else ""
        click.echo(f"{kind}{record.getMessage()}", err=True)


@contextmanager
def progress(verbose: bool) -> t.Iterator[None]:
    """Show what a run tells, for a while. With ``--quiet`` that is warnings only. The
    app's logging stays as it is.

    :param verbose: Whether to show Alembic's log too.
    """
    logger = logging.getLogger("flask_alembic")
    is_quiet = click.get_current_context().meta.get(QUIET)
    level, propagate, handler = logger.level, logger.propagate, _Lines()
    logger.addHandler(handler)
    logger.setLevel(logging.WARNING if is_quiet else logging.INFO)
    logger.propagate = False

    try:
        with alembic_log(verbose):
            yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagate
