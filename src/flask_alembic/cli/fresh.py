"""Commands for fresh databases: prepare, snapshot, verify-snapshot."""

from __future__ import annotations

import typing as t

import click

from ..render import snapshots as lines
from ..render import stamp as stamp_text
from .forms import json_option
from .options import call_options
from .options import echo_lines
from .options import given
from .options import lock_options
from .options import RunCommand
from .options import tell_lines
from .options import verbose_log
from .options import wait_option
from .progress import progress

if t.TYPE_CHECKING:
    from pathlib import Path

    from ..extension import Alembic

_scratch_option: t.Final = click.option(
    "--scratch-url",
    metavar="URL",
    help="An empty database to use and to empty, instead of making one.",
)


@click.command(cls=RunCommand)
@wait_option
@json_option
@call_options
@lock_options
@verbose_log
@click.pass_obj
def prepare(alembic: Alembic, form: str | None, verbose: bool) -> None:
    """Bring the databases to head, wherever they are.

    An empty database is made by its snapshot, if there is one, and by the revisions
    after it. All others are upgraded. May be run by any number of processes at once.
    """
    with progress(verbose):
        report = alembic.prepare()

    if form:
        click.echo(lines.prepare_json(report))
        return

    heads = alembic.revisions.effective_heads
    tell_lines(lines.prepare_lines(report, _root(alembic)))
    tell_lines(stamp_text.skipped_lines(report.run))
    tell_lines(lines.prepare_summary(report, heads), fg="green")


@click.command(cls=RunCommand)
@click.option(
    "--rows/--no-rows",
    default=None,
    help="Whether rows that revisions insert are in it. As before by default.",
)
@click.option(
    "--rows-of",
    metavar="TABLE",
    multiple=True,
    help="Let the rows of this table be in it. Repeatable.",
)
@_scratch_option
@json_option
@call_options
@verbose_log
@click.pass_obj
def snapshot(
    alembic: Alembic,
    rows: bool | None,
    rows_of: tuple[str, ...],
    scratch_url: str | None,
    form: str | None,
    verbose: bool,
) -> None:
    """Write the schema of each database at head to a file.

    All revisions are run on a throw-away database. 'flask db prepare' loads the file
    into an empty one.
    """
    if rows_of and rows is not None:
        raise click.UsageError("--rows-of goes with neither --rows nor --no-rows.")

    options = given(rows=rows_of or None, scratch_url=scratch_url)

    # "False" was given, too.
    if rows is not None:
        options["rows"] = rows

    with progress(verbose):
        report = alembic.snapshot(**options)

    if form:
        click.echo(lines.snapshot_json(report))
    else:
        tell_lines(lines.snapshot_lines(report, _root(alembic)))


@click.command("verify-snapshot", cls=RunCommand)
@_scratch_option
@json_option
@call_options
@verbose_log
@click.pass_obj
@click.pass_context
def verify_snapshot(
    ctx: click.Context,
    alembic: Alembic,
    scratch_url: str | None,
    form: str | None,
    verbose: bool,
) -> None:
    """Check that the snapshots are what the revisions make.

    The revisions are run on a throw-away database, and the snapshot is loaded into
    another one. Exits with 1 if they differ.
    """
    with progress(verbose):
        check = alembic.verify_snapshot(**given(scratch_url=scratch_url))

    if form:
        click.echo(lines.check_json(check))
    else:
        echo_lines(lines.check_lines(check, _root(alembic)))

    if not check.ok:
        ctx.exit(1)


def _root(alembic: Alembic) -> Path:
    return alembic.settings.script_location.parent
