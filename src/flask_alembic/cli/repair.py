"""The command that mends what earlier runs left: repair."""

from __future__ import annotations

import sys
import typing as t

import click

from ..render import history as lines
from .options import alembic_log
from .options import database_option
from .options import DatabaseCommand
from .options import tell_lines
from .options import verbose_log

if t.TYPE_CHECKING:
    from ..extension import Alembic
    from ..history_reports import Finding


@click.command(cls=DatabaseCommand)
@click.option(
    "--yes", is_flag=True, help="Mend all that can be mended, and ask nothing."
)
@database_option
@verbose_log
@click.pass_obj
@click.pass_context
def repair(ctx: click.Context, alembic: Alembic, yes: bool, verbose: bool) -> None:
    """Find what earlier runs left, and mend it after asking.

    Looks for revisions that were edited after they were applied, for rows that are
    wrong in the version table and in the tables beside it, for invalid indexes and for
    temporary tables. Without a terminal and without --yes it changes nothing.

    Exits with 1 if something is left.
    """
    asks = not yes and sys.stdin.isatty()

    with alembic_log(verbose):
        report = alembic.repair(apply=_ask if asks else yes)

    if not report.findings:
        tell_lines(["Nothing to mend."])

    for finding in report.findings:
        _tell(finding, is_new=not asks or not finding.cure)

    if not report.ok:
        _end(ctx, report.findings, may_mend=asks or yes)


def _ask(finding: Finding) -> bool:
    click.echo(lines.finding_line(finding))
    return click.confirm(lines.question(finding))


def _tell(finding: Finding, *, is_new: bool) -> None:
    if is_new:
        click.echo(lines.finding_line(finding))

    if not finding.cure:
        click.echo(lines.by_hand(finding))
    elif finding.mended:
        tell_lines([lines.outcome(finding)], fg="green")
    elif finding.reason:
        click.echo(lines.outcome(finding))


def _end(ctx: click.Context, findings: t.Sequence[Finding], *, may_mend: bool) -> None:
    open_ = [finding for finding in findings if finding.cure]

    if may_mend or not open_:
        ctx.exit(1)

    from ..errors import FlaskAlembicError

    raise FlaskAlembicError(
        f"Nothing was changed: {len(open_)} of these can be mended, and there is no"
        " terminal to ask on.",
        hint="Run 'flask db repair --yes' to mend them.",
    )
