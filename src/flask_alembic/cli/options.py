"""What commands share: their options, and ``-1`` as an argument."""

from __future__ import annotations

import logging
import re
import sys
import typing as t
from contextlib import contextmanager

import click

from .completion import complete_database
from .group import find_extension
from .group import QUIET
from .group import TRACEBACK
from .signals import terminable
from .told import told

F = t.TypeVar("F", bound=t.Callable[..., t.Any])

_Option = t.Callable[[F], F]
_USED: t.Final = "flask_alembic.used"

verbose_log: _Option[t.Any] = click.option(
    "-v", "--verbose", is_flag=True, help="Show Alembic's log on stderr."
)
verbose_revisions: _Option[t.Any] = click.option(
    "-v", "--verbose", is_flag=True, help="Show all of each revision."
)
skip_missing: _Option[t.Any] = click.option(
    "--skip-missing",
    is_flag=True,
    help="Leave revisions alone that the database has and no file.",
)


def _use(ctx: click.Context, param: click.Parameter, value: t.Any) -> None:
    """Note an option that is to hold while the command runs."""
    # 0 is a value, and nothing was given where there is none.
    if value not in (None, ()):
        ctx.meta.setdefault(_USED, {})[str(param.name)] = value


def _use_no_lock(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value:
        ctx.meta.setdefault(_USED, {})["lock"] = False


database_option: _Option[t.Any] = click.option(
    "--database",
    "databases",
    metavar="NAME",
    multiple=True,
    expose_value=False,
    callback=_use,
    shell_complete=complete_database,
    help="Work on this database, and leave the others alone. Repeatable.",
)
x_option: _Option[t.Any] = click.option(
    "-x",
    "x",
    metavar="KEY=VALUE",
    multiple=True,
    expose_value=False,
    callback=_use,
    help="An argument for the revisions. Repeatable.",
)
tag_option: _Option[t.Any] = click.option(
    "--tag",
    metavar="TEXT",
    expose_value=False,
    callback=_use,
    help="A text for the revisions to ask for.",
)


yes_option: _Option[t.Any] = click.option(
    "-y",
    "--yes",
    is_flag=True,
    expose_value=False,
    callback=_use,
    help="Do not ask, though a database is protected.",
)
wait_option: _Option[t.Any] = click.option(
    "--wait",
    metavar="SECONDS",
    type=click.FloatRange(min=0),
    expose_value=False,
    callback=_use,
    help="Try so long to connect to a database that is down.",
)
lock_timeout_option: _Option[t.Any] = click.option(
    "--lock-timeout",
    metavar="SECONDS",
    type=click.FloatRange(min=0),
    expose_value=False,
    callback=_use,
    help="How long to wait for another run. 60 by default.",
)
no_lock_option: _Option[t.Any] = click.option(
    "--no-lock",
    is_flag=True,
    expose_value=False,
    callback=_use_no_lock,
    help="Don't keep other runs off the database.",
)


def lock_options(command: F) -> F:
    """The options of a command that waits for other runs.

    :param command: The command's function.
    :return: The same, with the options.
    """
    return t.cast(F, lock_timeout_option(no_lock_option(command)))


def call_options(command: F) -> F:
    """The options of a command that may run revisions.

    :param command: The command's function.
    :return: The same, with the options.
    """
    return t.cast(F, database_option(x_option(tag_option(command))))


def given(**options: t.Any) -> dict[str, t.Any]:
    """The options that were given. An override of a method need not know what is newer
    than itself.

    :param options: Name to value, ``False`` or ``None`` if it was not given.
    :return: Arguments for a method.
    """
    return {k: v for k, v in options.items() if v not in (None, False)}


class DatabaseCommand(click.Command):
    """A command of ours, which is the same in a group of the user's own."""

    def invoke(self, ctx: click.Context) -> t.Any:
        """Run it in an app context, and tell of errors in a line.

        :param ctx: Click's context.
        :return: What the command returns.
        """
        find_extension(ctx)
        full = ctx.meta.get(TRACEBACK, False)

        with told(ctx.obj, full=full), ctx.obj.using(**ctx.meta.pop(_USED, {})):
            return super().invoke(ctx)


class NegativeNumbers(DatabaseCommand):
    """A command that takes ``-1`` as an argument, not as an option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the command line.

        :param ctx: Click's context.
        :param args: The words.
        :return: The words that are left over.
        """
        numbers = [arg for arg in args if re.fullmatch(r"-\d+", arg)]

        if numbers and "--" not in args:
            args = [*(arg for arg in args if arg not in numbers), "--", *numbers]

        return super().parse_args(ctx, args)


class RunCommand(NegativeNumbers):
    """A command that changes databases. Told to end, it rolls back and says where they
    stand.
    """

    def invoke(self, ctx: click.Context) -> t.Any:
        """Run it.

        :param ctx: Click's context.
        :return: What the command returns.
        """
        with terminable():
            return super().invoke(ctx)


@contextmanager
def alembic_log(show: bool) -> t.Iterator[None]:
    """Show Alembic's log for a while.

    The app's logging stays as it is. Where the app shows this log, it does so anyway.

    :param show: Whether to.
    """
    logger = logging.getLogger("alembic")

    if not show:
        yield
        return

    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(levelname)s [%(name)s] %(message)s"))
    level, propagate = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False

    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagate


def echo_lines(lines: t.Iterable[str], **style: t.Any) -> None:
    """Print lines.

    :param lines: The lines.
    :param style: Click's styles. They are left out where stdout is no terminal.
    """
    for line in lines:
        click.secho(line, **style)


def tell_lines(lines: t.Iterable[str], **style: t.Any) -> None:
    """Print what was done, which ``--quiet`` leaves out.

    :param lines: The lines.
    :param style: Click's styles.
    """
    if not click.get_current_context().meta.get(QUIET):
        echo_lines(lines, **style)
