"""What a protected database needs confirmed is asked on a terminal, and only there."""

from __future__ import annotations

import re
import sys
import typing as t

import click

if t.TYPE_CHECKING:
    from ..extension import Alembic

T = t.TypeVar("T")

_COUNT: t.Final = re.compile(r"(.*[+-])?\d+")


def confirmed(alembic: Alembic, run: t.Callable[[], T], question: str) -> T:
    """Run something, and ask before it is done where that is needed.

    :param alembic: The extension.
    :param run: What to run.
    :param question: Such as ``Downgrade {it} to base?``.
    :return: What it returns.
    :raises ProtectedDatabaseError: If nobody can be asked.
    """
    from ..run_errors import ProtectedDatabaseError

    try:
        return run()
    except ProtectedDatabaseError as error:
        if not _is_terminal():
            raise

        undone = error.undone

    _ask(undone, question)

    # Not an argument: an override of the method need not know it.
    with alembic.using(yes=True):
        return run()


def downgrade_question(target: str) -> str:
    """What is asked before a downgrade.

    :param target: Where it leads.
    :return: The question.
    """
    # A count is told by what it leads to undo.
    return (
        "Undo this?" if _COUNT.fullmatch(target) else f"Downgrade {{it}} to {target}?"
    )


def _ask(undone: t.Mapping[str, tuple[str, ...]], question: str) -> None:
    from ..render import text

    for line in text.undone_lines(undone):
        click.echo(line, err=True)

    names = " and ".join(f"'{name}'" for name in undone)
    several = len(undone) > 1
    which = f"The databases {names} are" if several else f"The database {names} is"
    asked = question.replace("{it}", "them" if several else "it")

    if not click.confirm(f"{which} protected. {asked}", err=True):
        click.echo("Nothing was done.", err=True)
        click.get_current_context().exit(1)


def _is_terminal() -> bool:
    streams = (sys.stdin, sys.stdout, sys.stderr)
    return all(stream is not None and stream.isatty() for stream in streams)
