"""Commands for many tenants: ``upgrade --all-tenants``, ``status``."""

from __future__ import annotations

import functools
import sys
import time
import typing as t

import click

from .group import QUIET
from .options import alembic_log
from .options import database_option
from .options import DatabaseCommand
from .options import echo_lines
from .options import given
from .options import tell_lines
from .options import verbose_log
from .options import wait_option
from .progress import progress

if t.TYPE_CHECKING:
    from ..extension import Alembic
    from ..fleet_reports import FleetProgress
    from ..fleet_reports import FleetReport

F = t.TypeVar("F", bound=t.Callable[..., t.Any])

_SOME_FAILED: t.Final = 1
_ONLY_LOCKED: t.Final = 3

# Seconds between two lines, where each one stays.
_INTERVAL: t.Final = 10.0

_ALL: t.Final = click.option(
    "--all-tenants", is_flag=True, help="Work on all in ALEMBIC['tenants']."
)
_LIST: t.Final = click.option(
    "--tenants",
    metavar="FILE",
    type=click.File(),
    help="Work on those in FILE, a URL or a schema a line; - is stdin.",
)
_WORKERS: t.Final = click.option(
    "--workers",
    metavar="N",
    type=click.IntRange(min=1),
    help="How many tenants at a time.",
)
_STOP: t.Final = click.option(
    "--stop-on-error", is_flag=True, help="Begin no other tenant after one failed."
)


def tenant_options(command: F) -> F:
    """Let ``upgrade`` work on tenants instead, if one of the options asks for it.

    :param command: The command's function, above ``click.pass_obj``.
    :return: A function with the options, which calls it where they are not given.
    """

    @functools.wraps(command)
    def run(
        *args: t.Any,
        all_tenants: bool,
        tenants: t.IO[str] | None,
        workers: int | None,
        stop_on_error: bool,
        **kwargs: t.Any,
    ) -> t.Any:
        options = given(workers=workers, stop_on_error=stop_on_error)

        if not all_tenants and tenants is None:
            _refuse(options, "only for --all-tenants and --tenants")
            return command(*args, **kwargs)

        _upgrade_all(_read(all_tenants, tenants), options, **kwargs)

    return t.cast(F, _ALL(_LIST(_WORKERS(_STOP(run)))))


@click.command(cls=DatabaseCommand)
@_ALL
@_LIST
@_WORKERS
@database_option
@wait_option
@verbose_log
@click.pass_obj
@click.pass_context
def status(
    ctx: click.Context,
    alembic: Alembic,
    all_tenants: bool,
    tenants: t.IO[str] | None,
    workers: int | None,
    verbose: bool,
) -> None:
    """Count the tenants at each revision."""
    if not all_tenants and tenants is None:
        raise click.UsageError("Give --all-tenants, or --tenants FILE.")

    with alembic_log(verbose):
        found = alembic.status_all(
            _read(all_tenants, tenants), **given(workers=workers)
        )

    from ..render import fleet

    echo_lines(fleet.status_lines(found))

    if found.failed:
        ctx.exit(_SOME_FAILED)


def _read(all_tenants: bool, tenants: t.IO[str] | None) -> list[str] | None:
    if all_tenants and tenants is not None:
        raise click.UsageError("Give --all-tenants or --tenants FILE, not both.")

    from ..tenant_list import read_lines

    return None if tenants is None else read_lines(tenants)


def _refuse(options: t.Mapping[str, t.Any], reason: str) -> None:
    for name in options:
        raise click.UsageError(f"--{name.replace('_', '-')} is {reason}.")


def _upgrade_all(
    tenants: list[str] | None,
    options: dict[str, t.Any],
    *,
    target: str,
    skip_missing: bool = False,
    verbose: bool = False,
    **others: t.Any,
) -> None:
    used = {"skip_missing": skip_missing, **others}
    _refuse(given(**used), "not for tenants")
    ctx = click.get_current_context()
    alembic: Alembic = ctx.obj

    try:
        with progress(verbose), _Meter() as meter:
            report = alembic.upgrade_all(
                tenants, target, progress=meter.tell, **options
            )
    except KeyboardInterrupt as error:
        from ..fleet_reports import fleet_report_of

        if known := fleet_report_of(error):
            _tell(known)

        raise

    _tell(report)

    if not report.ok:
        ctx.exit(_ONLY_LOCKED if report.only_locked else _SOME_FAILED)


def _tell(report: FleetReport) -> None:
    from ..render import fleet

    lines = fleet.report_lines(report) if report.tenants else []

    if report.ok:
        tell_lines([*lines, fleet.summary(report)])
    else:
        echo_lines(lines)
        click.echo(fleet.summary(report), err=True)


class _Meter:
    """Tells on stderr how far it is: in one line that changes on a terminal, otherwise
    in a line from time to time.
    """

    def __init__(self) -> None:
        is_quiet = bool(click.get_current_context().meta.get(QUIET))
        self._is_terminal = sys.stderr.isatty() and not is_quiet
        self._is_quiet = is_quiet
        self._told = time.monotonic()
        self._width = 0

    def __enter__(self) -> t.Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._clear()

    def tell(self, progress: FleetProgress) -> None:
        """Tell how far it is, where there is more to come.

        :param progress: What is known.
        """
        if self._is_quiet or progress.tried == progress.total:
            return

        from ..render import fleet

        line = fleet.progress_line(progress)

        if self._is_terminal:
            self._clear()
            click.echo(line, err=True, nl=False)
            self._width = len(line)
        elif time.monotonic() - self._told >= _INTERVAL:
            click.echo(line, err=True)
            self._told = time.monotonic()

    def _clear(self) -> None:
        if self._width:
            click.echo(f"\r{' ' * self._width}\r", err=True, nl=False)
            self._width = 0
