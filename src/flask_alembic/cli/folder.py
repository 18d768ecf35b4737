"""Commands about the migrations folder: mkdir, init, list-templates."""

from __future__ import annotations

import typing as t

import click

from ..folders import missing_paths
from .options import DatabaseCommand
from .options import echo_lines
from .options import tell_lines

if t.TYPE_CHECKING:
    from ..extension import Alembic


@click.command(cls=DatabaseCommand)
@click.pass_obj
def mkdir(alembic: Alembic) -> None:
    """Make the migrations folder, if it does not exist."""
    missing = missing_paths(alembic.settings)
    alembic.mkdir()
    tell_lines(f"Made {path}" for path in missing)

    if not missing:
        tell_lines([f"{alembic.settings.script_location} exists already."])


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
    tell_lines(f"Made {path}" for path in report.made)

    if report.kept is not None:
        tell_lines([f"Replaced the template. The old one is {report.kept}"])
    elif not report.made:
        tell_lines([f"{report.folder} exists already."])

    if report.folder != alembic.settings.script_location:
        tell_lines([f"Set ALEMBIC['script_location'] = {directory!r} to use it."])


@click.command(cls=DatabaseCommand)
@click.pass_obj
def list_templates(alembic: Alembic) -> None:
    """Show the templates for new revisions."""
    found = alembic.list_templates()
    width = max(len(template.name) for template in found)
    echo_lines(f"{item.name:{width}}  {item.description}".rstrip() for item in found)
