"""Commands that look: branches, check, current, heads, log, show."""

from __future__ import annotations

import typing as t

import click

from ..render import text
from .options import alembic_log
from .options import database_option
from .options import DatabaseCommand
from .options import echo_lines
from .options import verbose_log
from .options import verbose_revisions
from .options import x_option

if t.TYPE_CHECKING:
    from ..extension import Alembic


@click.command(cls=DatabaseCommand)
@verbose_revisions
@click.pass_obj
def branches(alembic: Alembic, verbose: bool) -> None:
    """Show the revisions that more than one other revises."""
    script = alembic.script_directory

    for branch in alembic.branches():
        click.echo(text.script_text(branch, verbose=verbose))

        for child in script.get_revisions(tuple(sorted(branch.nextrev))):
            click.echo(f"    -> {text.script_line(child)}")


@click.command(cls=DatabaseCommand)
@database_option
@x_option
@verbose_log
@click.pass_obj
@click.pass_context
def check(ctx: click.Context, alembic: Alembic, verbose: bool) -> None:
    """Check that the databases match the models.

    Exits with 1 if a database is behind the revisions, or differs from the models.
    """
    with alembic_log(verbose):
        report = alembic.check()

    echo_lines(text.check_lines(report))

    if not report.ok:
        ctx.exit(1)


@click.command(cls=DatabaseCommand)
@click.option(
    "--check-heads", is_flag=True, help="Exit with 1 if a database is not at head."
)
@database_option
@verbose_revisions
@click.pass_obj
@click.pass_context
def current(
    ctx: click.Context, alembic: Alembic, check_heads: bool, verbose: bool
) -> None:
    """Show the revision that each database is at."""
    echo_lines(text.current_lines(alembic.current_by_database(), verbose=verbose))

    if check_heads and alembic.needs_upgrade():
        click.echo("A database is not at head. Run 'flask db upgrade'.", err=True)
        ctx.exit(1)


@click.command(cls=DatabaseCommand)
@click.option(
    "--resolve-dependencies",
    is_flag=True,
    help="Leave out heads that another revision depends on.",
)
@verbose_revisions
@click.pass_obj
def heads(alembic: Alembic, resolve_dependencies: bool, verbose: bool) -> None:
    """Show the newest revision of each branch."""
    for script in alembic.heads(resolve_dependencies):
        click.echo(text.script_text(script, verbose=verbose))


@click.command(cls=DatabaseCommand)
@click.option("--start", default="base", show_default=True, help="The oldest to show.")
@click.option("--end", default="heads", show_default=True, help="The newest to show.")
@database_option
@verbose_revisions
@click.pass_obj
def log(alembic: Alembic, start: str, end: str, verbose: bool) -> None:
    """Show the revisions, newest first."""
    for script in alembic.log(start, end):
        click.echo(text.script_text(script, verbose=verbose))


@click.command(cls=DatabaseCommand)
@click.argument("revisions", nargs=-1)
@database_option
@click.pass_obj
def show(alembic: Alembic, revisions: tuple[str, ...]) -> None:
    """Show all of the given REVISIONS, by default the heads."""
    for script in alembic.show(revisions or "heads"):
        click.echo(text.script_block(script))
