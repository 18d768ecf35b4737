"""Commands that look: branches, check, current, heads, history, log, show."""

from __future__ import annotations

import typing as t

import click

from ..render import revisions as lines
from .completion import complete_range
from .completion import complete_revision
from .forms import echo_current_json
from .forms import echo_ids
from .forms import echo_revisions
from .forms import machine_forms
from .options import alembic_log
from .options import database_option
from .options import DatabaseCommand
from .options import echo_lines
from .options import given
from .options import skip_missing
from .options import verbose_log
from .options import verbose_revisions
from .options import x_option

if t.TYPE_CHECKING:
    from ..extension import Alembic
    from .forms import AnyScript
    from .forms import Form

_complete = complete_revision("current", "head", "heads", "base")


@click.command(cls=DatabaseCommand)
@machine_forms
@verbose_revisions
@click.pass_obj
def branches(alembic: Alembic, form: Form, verbose: bool) -> None:
    """Show the revisions that more than one other revises."""
    found = alembic.branches()

    if form:
        echo_revisions(alembic, found, form, verbose=verbose)
        return

    for branch in found:
        children = alembic.show(sorted(branch.nextrev))
        click.echo(lines.branch_text(branch, children, verbose=verbose))


@click.command(cls=DatabaseCommand)
@machine_forms
@database_option
@x_option
@verbose_log
@click.pass_obj
@click.pass_context
def check(ctx: click.Context, alembic: Alembic, form: Form, verbose: bool) -> None:
    """Check that the databases match the models.

    Exits with 1 if a database is behind the revisions, or differs from the models.
    """
    from ..render import json
    from ..render import text

    with alembic_log(verbose):
        report = alembic.check()

    if form == "ids":
        echo_ids(id_ for database in report.databases for id_ in database.current)
    elif form == "json":
        click.echo(json.check_json(report))
    else:
        echo_lines(text.check_lines(report))

    if not report.ok:
        ctx.exit(1)


@click.command(cls=DatabaseCommand)
@click.option(
    "-c",
    "--check-heads",
    is_flag=True,
    help="Exit with 1 if a database is not at head.",
)
@machine_forms
@database_option
@skip_missing
@verbose_revisions
@click.pass_obj
@click.pass_context
def current(
    ctx: click.Context,
    alembic: Alembic,
    check_heads: bool,
    form: Form,
    skip_missing: bool,
    verbose: bool,
) -> None:
    """Show the revision that each database is at."""
    found, unknown = _current(alembic, skip_missing=skip_missing)

    if form == "ids":
        echo_ids(script.revision for scripts in found.values() for script in scripts)
        echo_ids(id_ for ids in unknown.values() for id_ in ids)
    elif form == "json":
        echo_current_json(alembic, found, unknown)
    else:
        known = {n: s for n, s in found.items() if s or n not in unknown}
        echo_lines(lines.current_lines(known, verbose=verbose))
        _echo_unknown(unknown)

    if check_heads and alembic.needs_upgrade():
        click.echo("A database is not at head. Run 'flask db upgrade'.", err=True)
        ctx.exit(1)


def _current(
    alembic: Alembic, *, skip_missing: bool
) -> tuple[t.Mapping[str, t.Sequence[AnyScript]], t.Mapping[str, tuple[str, ...]]]:
    """The revisions that each database is at, and the ids that no file has."""
    graph, ids = alembic.revisions, alembic.current_ids()

    if all(id_ in graph for found in ids.values() for id_ in found):
        return {name: [graph[id_] for id_ in found] for name, found in ids.items()}, {}

    current = alembic.current_by_database(**given(skip_missing=skip_missing))
    return current, current.unknown


def _echo_unknown(unknown: t.Mapping[str, tuple[str, ...]]) -> None:
    if unknown:
        from ..render import stamp as stamp_text

        echo_lines(stamp_text.unknown_lines(unknown))


@click.command(cls=DatabaseCommand)
@click.option(
    "--resolve-dependencies",
    is_flag=True,
    help="Leave out heads that another revision depends on.",
)
@machine_forms
@verbose_revisions
@click.pass_obj
def heads(
    alembic: Alembic, resolve_dependencies: bool, form: Form, verbose: bool
) -> None:
    """Show the newest revision of each branch."""
    graph = alembic.revisions
    ids = graph.effective_heads if resolve_dependencies else graph.heads
    echo_revisions(alembic, [graph[id_] for id_ in ids], form, verbose=verbose)


def _read_range(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> tuple[str, str] | None:
    if value is None:
        return None

    start, colon, end = value.partition(":")

    if not colon or ":" in end:
        raise click.BadParameter(f"'{value}' is not START:END, START: or :END.")

    return start or "base", end or "heads"


@click.command(cls=DatabaseCommand)
@click.option(
    "--start",
    default="base",
    show_default=True,
    shell_complete=_complete,
    help="The oldest to show.",
)
@click.option(
    "--end",
    default="heads",
    show_default=True,
    shell_complete=_complete,
    help="The newest to show.",
)
@click.option(
    "-r",
    "--rev-range",
    metavar="START:END",
    callback=_read_range,
    shell_complete=complete_range,
    help="Both in one. Either may be left out.",
)
@click.option(
    "-i",
    "--indicate-current",
    is_flag=True,
    help="Mark where the databases are.",
)
@click.option(
    "--applied",
    is_flag=True,
    help="Show what was applied to the databases, when and by whom.",
)
@machine_forms
@database_option
@verbose_revisions
@click.pass_obj
def log(
    alembic: Alembic,
    start: str,
    end: str,
    rev_range: tuple[str, str] | None,
    indicate_current: bool,
    applied: bool,
    form: Form,
    verbose: bool,
) -> None:
    """Show the revisions, newest first."""
    if rev_range and (start, end) != ("base", "heads"):
        raise click.UsageError("Give --rev-range, or --start and --end, not both.")

    if applied:
        if rev_range or indicate_current or (start, end) != ("base", "heads"):
            raise click.UsageError(
                "--applied shows all: give no range with it, nor -i."
            )

        _echo_applied(alembic, form, verbose=verbose)
        return

    start, end = rev_range or (start, end)
    is_whole = (start, end) == ("base", "heads")
    found: t.Sequence[AnyScript] = (
        alembic.revisions.newest_first() if is_whole else alembic.log(start, end)
    )
    at = alembic.current_ids() if indicate_current else None
    echo_revisions(alembic, found, form, verbose=verbose, current=at)


def _echo_applied(alembic: Alembic, form: Form, *, verbose: bool) -> None:
    from ..render import history as history_text
    from ..render import json

    found = alembic.applied()

    if form == "ids":
        echo_ids(entry.revision for entries in found.values() for entry in entries)
    elif form == "json":
        click.echo(json.applied_json(found))
    else:
        echo_lines(history_text.entry_lines(found, verbose=verbose))


history: click.Command = DatabaseCommand(
    "history",
    callback=log.callback,
    params=log.params,
    help="Show the revisions, newest first, as log does.",
)


@click.command(cls=DatabaseCommand)
@click.argument("revisions", nargs=-1, shell_complete=_complete)
@database_option
@click.pass_obj
def show(alembic: Alembic, revisions: tuple[str, ...]) -> None:
    """Show all of the given REVISIONS, by default the heads."""
    echo_revisions(alembic, alembic.show(revisions or "heads"), None, verbose=True)
