"""Commands that change a database: they run revisions, or write the version table."""

from __future__ import annotations

import typing as t

import click

from ..render import stamp as stamp_text
from ..render import text
from .completion import complete_revision
from .confirm import confirmed
from .confirm import downgrade_question
from .options import call_options
from .options import database_option
from .options import echo_lines
from .options import given
from .options import lock_options
from .options import RunCommand
from .options import skip_missing
from .options import tell_lines
from .options import verbose_log
from .options import wait_option
from .options import yes_option
from .progress import progress
from .sql import sql_options
from .tenants import tenant_options

if t.TYPE_CHECKING:
    from ..extension import Alembic
    from ..reports import MigrationReport


@click.command(cls=RunCommand)
@click.argument(
    "target", default="heads", shell_complete=complete_revision("head", "heads")
)
@skip_missing
@wait_option
@call_options
@lock_options
@verbose_log
@tenant_options
@sql_options
@click.pass_obj
def upgrade(alembic: Alembic, target: str, skip_missing: bool, verbose: bool) -> None:
    """Run revisions up to TARGET, by default all.

    TARGET is an id, the beginning of one, head, heads, LABEL@head, or a number of
    revisions: 2 or +2. With --sql it may be a range START:TARGET, where START is base
    by default.
    """
    _tell_number(alembic, target, "+")

    with progress(verbose):
        report = alembic.upgrade(target, **given(skip_missing=skip_missing))

    _tell(alembic, report, "upgrade")


@click.command(cls=RunCommand)
@click.argument("target", default="-1", shell_complete=complete_revision("base"))
@skip_missing
@yes_option
@call_options
@lock_options
@verbose_log
@sql_options
@click.pass_obj
def downgrade(alembic: Alembic, target: str, skip_missing: bool, verbose: bool) -> None:
    """Run revisions back down to TARGET, by default one.

    TARGET is an id, the beginning of one, base, or a number of revisions: 2, -2 or
    LABEL@-2. With --sql it is a range START:TARGET.
    """
    _tell_number(alembic, target, "-")

    def run() -> MigrationReport:
        return alembic.downgrade(target, **given(skip_missing=skip_missing))

    with progress(verbose):
        report = confirmed(alembic, run, downgrade_question(target))

    _tell(alembic, report, "downgrade")


@click.command(cls=RunCommand)
@click.option(
    "--done/--again",
    default=None,
    help="Of a statement that may have taken effect: it did, or run it again.",
)
@call_options
@lock_options
@verbose_log
@click.pass_obj
def resume(alembic: Alembic, done: bool | None, verbose: bool) -> None:
    """Run a revision to its end that is half done.

    That is one which failed, or whose process was ended, where what it did can't be
    rolled back.
    """
    with progress(verbose):
        report = alembic.resume(done=done)

    if report.steps:
        _tell(alembic, report, report.steps[0].direction)
    else:
        tell_lines(stamp_text.not_half_done_lines(report))


@click.command(cls=RunCommand)
@click.argument(
    "targets",
    metavar="[TARGET]...",
    nargs=-1,
    shell_complete=complete_revision("head", "heads", "base"),
)
@click.option(
    "--purge",
    is_flag=True,
    help="Empty the version table first, whatever is in it.",
)
@click.option(
    "--verify",
    is_flag=True,
    help="Only if the schema is that of TARGET: compare, and try what comes after it.",
)
@skip_missing
@yes_option
@call_options
@lock_options
@verbose_log
@sql_options
@click.pass_obj
def stamp(
    alembic: Alembic,
    targets: tuple[str, ...],
    purge: bool,
    verify: bool,
    skip_missing: bool,
    verbose: bool,
) -> None:
    """Let the databases be at TARGET, and run no revisions.

    With --sql it may be a range START:TARGET, where START is base by default.

    With --verify the revisions after TARGET are run and rolled back. What their Python
    code does outside of the database stays.
    """
    options = given(purge=purge, verify=verify, skip_missing=skip_missing)

    def run() -> MigrationReport:
        return alembic.stamp(targets or "heads", **options)

    from ..errors import SchemaMismatchError

    try:
        with progress(verbose):
            report = confirmed(alembic, run, "Empty the version table?")
    except SchemaMismatchError as error:
        echo_lines(stamp_text.verification_lines(error.verifications))
        raise

    if purge:
        tell_lines(stamp_text.removed_lines(report))

    _tell(alembic, report, "stamp")


@click.command("ensure-version", cls=RunCommand)
@database_option
@verbose_log
@sql_options
@click.pass_obj
def ensure_version(alembic: Alembic, verbose: bool) -> None:
    """Make the version table where it is missing."""
    with progress(verbose):
        tables = alembic.ensure_version()

    tell_lines(text.version_table_lines(tables))


def _tell_number(alembic: Alembic, target: str, sign: str) -> None:
    """A number that is the beginning of an id may have been meant for a count."""
    if not target.strip().isdecimal():
        return

    from ..arguments import number_as_id
    from ..history import History

    if id_ := number_as_id(target, History(alembic.script_directory), sign=sign):
        click.echo(stamp_text.number_line(target, id_), err=True)


def _tell(alembic: Alembic, report: MigrationReport | None, direction: str) -> None:
    # A method that an app overrides need not return anything.
    report = report or alembic.last_report
    several = len(report.databases) > 1

    if direction != "stamp":
        tell_lines(text.step_lines(report.steps, several=several))

    tell_lines(stamp_text.skipped_lines(report))
    tell_lines(stamp_text.forgotten_lines(report))
    heads = alembic.revisions.effective_heads
    tell_lines(text.run_summary(report, direction, heads), fg="green")
