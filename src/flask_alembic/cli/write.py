"""Commands that write files: revision, merge, mkdir, init; list-templates."""

from __future__ import annotations

import typing as t

import click

from ..folders import missing_paths
from ..render import text
from ..reports import NewRevisions
from ..revision_files import display
from .options import alembic_log
from .options import call_options
from .options import DatabaseCommand
from .options import echo_lines
from .options import verbose_log

if t.TYPE_CHECKING:
    from alembic.script import Script

    from ..extension import Alembic

_label = click.option(
    "-l", "--label", multiple=True, help="A label of the branch that begins here."
)


@click.command(cls=DatabaseCommand)
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
            # An override of the method need not know what is newer than itself.
            **({"allow_drops": True} if allow_drops else {}),
        )

    _tell(alembic, written)


@click.command(cls=DatabaseCommand)
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
    """Write a revision that joins REVISIONS, or all heads."""
    written = alembic.merge(revisions or "heads", message, label)

    if written is None:
        click.echo(text.nothing_to_merge(alembic.heads()))
    else:
        click.echo(_wrote(alembic, written))


@click.command(cls=DatabaseCommand)
@click.pass_obj
def mkdir(alembic: Alembic) -> None:
    """Make the migrations folder, if it does not exist."""
    missing = missing_paths(alembic.settings)
    alembic.mkdir()
    echo_lines(f"Made {path}" for path in missing)

    if not missing:
        click.echo(f"{alembic.settings.script_location} exists already.")


@click.command(cls=DatabaseCommand)
@click.argument("directory", required=False)
@click.option(
    "-t", "--template", help="Name of a template, or a folder with one in it."
)
@click.option("--multidb", is_flag=True, help="Take the template multidb.")
@click.option("--package", is_flag=True, help="Make the folders Python packages.")
@click.pass_obj
def init(
    alembic: Alembic,
    directory: str | None,
    template: str | None,
    multidb: bool,
    package: bool,
) -> None:
    """Make the migrations folder, with a template that fits.

    A template that does not fit the number of databases, or is not the one that is
    asked for, is kept beside the new one.
    """
    if multidb and template is not None:
        raise click.UsageError("Name a template, or say --multidb.")

    report = alembic.init(
        directory, template=template, multidb=multidb or None, package=package
    )
    echo_lines(f"Made {path}" for path in report.made)

    if report.kept is not None:
        click.echo(f"Replaced the template. The old one is {report.kept}")
    elif not report.made:
        click.echo(f"{report.folder} exists already.")

    if report.folder != alembic.settings.script_location:
        click.echo(f"Set ALEMBIC['script_location'] = {directory!r} to use it.")


@click.command(cls=DatabaseCommand)
@click.pass_obj
def list_templates(alembic: Alembic) -> None:
    """Show the templates for new revisions."""
    found = alembic.list_templates()
    width = max(len(template.name) for template in found)
    echo_lines(f"{item.name:{width}}  {item.description}".rstrip() for item in found)


def _tell(alembic: Alembic, written: NewRevisions | list[Script | None] | None) -> None:
    if not written:
        click.echo("No revision was written: process_revision_directives left none.")
        return

    for script in written:
        if script is not None:
            click.echo(_wrote(alembic, script))

    if not isinstance(written, NewRevisions):
        return

    if written.changes:
        several = len(alembic.databases) > 1
        echo_lines(text.change_lines(written.changes, several=several))
    elif written.tables is not None:
        echo_lines(text.nothing_found(written.tables))


def _wrote(alembic: Alembic, script: Script) -> str:
    folder = alembic.script_directory.dir
    return click.style(f"Wrote {display(script.path, folder)}", fg="green")
