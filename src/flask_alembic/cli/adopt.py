"""The command that takes over what other tools made: adopt."""

from __future__ import annotations

import typing as t

import click

from ..render import adopt as adopt_text
from .options import alembic_log
from .options import database_option
from .options import DatabaseCommand
from .options import echo_lines
from .options import verbose_log

if t.TYPE_CHECKING:
    from ..extension import Alembic


@click.command(cls=DatabaseCommand)
@click.option(
    "--yes",
    is_flag=True,
    help="Stamp the databases that have no revision and match the models.",
)
@database_option
@verbose_log
@click.pass_obj
def adopt(alembic: Alembic, yes: bool, verbose: bool) -> None:
    """Look at what another tool left, and say what to do.

    Shows who made the migrations folder, where each database is, what was changed in
    env.py, and what is different here. Changes nothing without --yes.
    """
    with alembic_log(verbose):
        report = alembic.adopt(apply=yes)

    echo_lines(adopt_text.adopt_lines(report))
