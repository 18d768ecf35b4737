"""Commands that change a database: upgrade, downgrade, stamp."""

from __future__ import annotations

import typing as t

import click

from ..history import History
from ..render import text
from .options import alembic_log
from .options import call_options
from .options import echo_lines
from .options import NegativeNumbers
from .options import verbose_log

if t.TYPE_CHECKING:
    from ..extension import Alembic
    from ..reports import MigrationReport


@click.command(cls=NegativeNumbers)
@click.argument("target", default="heads")
@call_options
@verbose_log
@click.pass_obj
def upgrade(alembic: Alembic, target: str, verbose: bool) -> None:
    """Run revisions up to TARGET, by default all.

    TARGET is an id, the beginning of one, head, heads, LABEL@head, or a number of
    revisions: 2 or +2.
    """
    with alembic_log(verbose):
        report = alembic.upgrade(target)

    _tell(alembic, report, "upgrade")


@click.command(cls=NegativeNumbers)
@click.argument("target", default="-1")
@call_options
@verbose_log
@click.pass_obj
def downgrade(alembic: Alembic, target: str, verbose: bool) -> None:
    """Run revisions back down to TARGET, by default one.

    TARGET is an id, the beginning of one, base, or a number of revisions: 2, -2 or
    LABEL@-2.
    """
    with alembic_log(verbose):
        report = alembic.downgrade(target)

    _tell(alembic, report, "downgrade")


@click.command(cls=NegativeNumbers)
@click.argument("target", default="heads")
@call_options
@verbose_log
@click.pass_obj
def stamp(alembic: Alembic, target: str, verbose: bool) -> None:
    """Let the databases be at TARGET, without running revisions."""
    with alembic_log(verbose):
        report = alembic.stamp(target)

    _tell(alembic, report, "stamp")


def _tell(alembic: Alembic, report: MigrationReport | None, direction: str) -> None:
    # A method that an app overrides need not return anything.
    report = report or alembic.last_report
    several = len(report.databases) > 1

    if direction != "stamp":
        echo_lines(text.step_lines(report.steps, several=several))

    heads = History(alembic.script_directory).effective_heads
    echo_lines(text.run_summary(report, direction, heads), fg="green")
