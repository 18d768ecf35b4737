"""Commands that write files: revision, merge, mkdir."""

from __future__ import annotations

import typing as t

import click

from ..folders import missing_paths
from ..render import text
from ..revision_files import display
from .options import alembic_log
from .options import call_options
from .options import echo_lines
from .options import verbose_log

if t.TYPE_CHECKING:
    from alembic.script import Script

    from ..extension import Alembic
    from ..reports import NewRevisions

_label = click.option(
    "-l", "--label", multiple=True, help="A label of the branch that begins here."
)


@click.command()
@click.argument("message")
@click.option("--empty", is_flag=True, help="Write no operations.")
@click.option(
    "-b",
    "--branch",
    default="default",
    show_default=True,
    help="The independent branch that it belongs to.",
)
@click.option(
    "-p",
    "--parent",
    multiple=True,
    default=["head"],
    show_default=True,
    help="What it revises.",
)
@click.option("--splice", is_flag=True, help="The parent may be no head.")
@click.option("-d", "--depend", multiple=True, help="A revision that it depends on.")
@_label
@click.option("--path", help="The version location that the file goes to.")
@click.option(
    "--allow-drops", is_flag=True, help="Drop all tables if there are no models."
)
@call_options
@verbose_log
@click.pass_obj
def revision(
    alembic: Alembic,
    message: str,
    empty: bool,
    branch: str,
    parent: tuple[str, ...],
    splice: bool,
    depend: tuple[str, ...],
    label: tuple[str, ...],
    path: str | None,
    allow_drops: bool,
    verbose: bool,
) -> None:
    """Write a new revision that says MESSAGE.

    It holds the operations that bring the databases to the models.
    """
    with alembic_log(verbose):
        written = alembic.revision(
            message,
            empty,
            branch,
            parent,
            splice,
            depend or None,
            label,
            path,
            allow_drops=allow_drops,
        )

    _tell(alembic, written)


@click.command()
@click.argument("revisions", nargs=-1)
@click.option("-m", "--message", help="What to call it.")
@_label
@click.pass_obj
def merge(
    alembic: Alembic,
    revisions: tuple[str, ...],
    message: str | None,
    label: tuple[str, ...],
) -> None:
    """Write a revision that joins REVISIONS, by default all heads."""
    written = alembic.merge(revisions or "heads", message, label)

    if written is None:
        click.echo(text.nothing_to_merge(alembic.heads()))
    else:
        click.echo(_wrote(alembic, written))


@click.command()
@click.pass_obj
def mkdir(alembic: Alembic) -> None:
    """Make the migrations folder, if it does not exist."""
    missing = missing_paths(alembic.settings)
    alembic.mkdir()
    echo_lines(f"Made {path}" for path in missing)

    if not missing:
        click.echo(f"{alembic.settings.script_location} exists already.")


def _tell(alembic: Alembic, written: NewRevisions) -> None:
    if not written:
        click.echo("No revision was written: process_revision_directives left none.")
        return

    for script in written:
        if script is not None:
            click.echo(_wrote(alembic, script))

    if written.changes:
        several = len(alembic.databases) > 1
        echo_lines(text.change_lines(written.changes, several=several))
    elif written.tables is not None:
        echo_lines(text.nothing_found(written.tables))


def _wrote(alembic: Alembic, script: Script) -> str:
    folder = alembic.script_directory.dir
    return click.style(f"Wrote {display(script.path, folder)}", fg="green")
