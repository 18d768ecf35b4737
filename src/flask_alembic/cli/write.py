"""Commands that write revision files: revision, migrate, merge, edit."""

from __future__ import annotations

import typing as t

import click

from ..render import text
from ..revisions.paths import display
from .completion import complete_label
from .completion import complete_revision
from .options import alembic_log
from .options import call_options
from .options import DatabaseCommand
from .options import given
from .options import tell_lines
from .options import verbose_log

if t.TYPE_CHECKING:
    from alembic.script import Script

    from ..errors import TargetError
    from ..extension import Alembic
    from ..reports import NewRevisions

F = t.TypeVar("F", bound=t.Callable[..., t.Any])

_label = click.option(
    "-l",
    "--label",
    "--branch-label",
    multiple=True,
    help="A label of the branch that begins here.",
)
_rev_id = click.option("--rev-id", metavar="ID", help="Its id, instead of a new one.")

# The arguments of Alembic.revision() after the message, in their order.
_KNOWN_ARGUMENTS: t.Final = (
    "empty",
    "branch",
    "parent",
    "splice",
    "depend",
    "label",
    "path",
)

_NEW_REVISION: t.Final = (
    click.argument("message", required=False),
    click.option("-m", "--message", "message_option", help="MESSAGE, as an option."),
    click.option(
        "-b",
        "--branch",
        default="default",
        show_default=True,
        shell_complete=complete_label,
        help="The independent branch that it belongs to.",
    ),
    click.option(
        "-p",
        "--parent",
        "--head",
        multiple=True,
        default=["head"],
        show_default=True,
        shell_complete=complete_revision("head", "base"),
        help="What it revises.",
    ),
    click.option("--splice", is_flag=True, help="The parent may be no head."),
    click.option(
        "-d",
        "--depend",
        multiple=True,
        shell_complete=complete_revision("head"),
        help="A revision that it depends on.",
    ),
    _label,
    click.option(
        "--path", "--version-path", help="The version location that the file goes to."
    ),
    _rev_id,
    click.option(
        "--allow-drops", is_flag=True, help="Drop all tables if there are no models."
    ),
    call_options,
    verbose_log,
)


def _new_revision(command: F) -> F:
    """What ``revision`` and ``migrate`` have in common. Most options are called as the
    arguments of ``Alembic.revision``.
    """
    for add in reversed(_NEW_REVISION):
        command = add(command)

    return command


@click.command(cls=DatabaseCommand)
@click.option("--empty", is_flag=True, help="Write no operations.")
@click.option("--autogenerate", is_flag=True, help="Compare, which is the default.")
@click.option("--skip-empty", is_flag=True, help="Write no file if nothing changed.")
@click.option("--sql", is_flag=True, help="Connect to nothing. Write no operations.")
@_new_revision
@click.pass_obj
def revision(
    alembic: Alembic,
    /,
    *,
    empty: bool,
    autogenerate: bool,
    skip_empty: bool,
    sql: bool,
    **options: t.Any,
) -> None:
    """Write a new revision that says MESSAGE.

    It compares the models to the databases, and holds the operations that bring the
    databases to the models. With --empty it compares nothing. Without MESSAGE, the
    revision is called by what was found.
    """
    if (empty or sql) and (autogenerate or skip_empty):
        one = "--empty" if empty else "--sql"
        other = "--autogenerate" if autogenerate else "--skip-empty"
        raise click.UsageError(f"{one} compares nothing, and {other} compares.")

    _write(alembic, empty=empty, skip_empty=skip_empty, sql=sql, **options)


@click.command(cls=DatabaseCommand)
@_new_revision
@click.pass_obj
def migrate(alembic: Alembic, /, **options: t.Any) -> None:
    """Write a new revision if the models changed.

    It is the same as revision --skip-empty, which compares by default too.
    """
    _write(alembic, empty=False, skip_empty=True, **options)


@click.command(cls=DatabaseCommand)
@click.argument(
    "revisions", nargs=-1, shell_complete=complete_revision("head", "heads")
)
@click.option("-m", "--message", help="What to call it.")
@_label
@_rev_id
@click.option("--splice", is_flag=True, help="REVISIONS may be no heads.")
@click.pass_obj
def merge(
    alembic: Alembic,
    revisions: tuple[str, ...],
    message: str | None,
    label: tuple[str, ...],
    rev_id: str | None,
    splice: bool,
) -> None:
    """Write a revision that joins others, by default all heads."""
    written = alembic.merge(
        revisions or "heads",
        message,
        label,
        **given(rev_id=rev_id, splice=splice),
    )
    _tell_merged(alembic, written)


@click.command(cls=DatabaseCommand)
@click.argument(
    "revision", default="head", shell_complete=complete_revision("current", "head")
)
@click.pass_obj
def edit(alembic: Alembic, revision: str) -> None:
    """Edit the file of REVISION, by default the head.

    The editor is the one that the variable VISUAL or EDITOR names.
    """
    found = alembic.show(revision)

    if len(found) != 1:
        raise _not_one(revision, found)

    click.edit(filename=found[0].path)


def _write(
    alembic: Alembic,
    *,
    message: str | None,
    message_option: str | None,
    verbose: bool,
    **options: t.Any,
) -> None:
    if message is not None and message_option is not None:
        raise click.UsageError("Give MESSAGE or --message, not both.")

    if message is None:
        message = message_option

    arguments = [options.pop(name) for name in _KNOWN_ARGUMENTS]

    with alembic_log(verbose):
        written = alembic.revision(message, *arguments, **given(**options))

    _tell(alembic, written)


def _tell(alembic: Alembic, written: NewRevisions | list[Script | None] | None) -> None:
    from ..reports import NewRevisions

    skipped = isinstance(written, NewRevisions) and written.skipped

    if not written and not skipped:
        tell_lines(["No revision was written: process_revision_directives left none."])
        return

    for script in written or ():
        if script is not None:
            _tell_wrote(alembic, script)

    # A method that an app overrides may return a list.
    if not isinstance(written, NewRevisions):
        return

    if written.changes:
        several = len(alembic.databases) > 1
        tell_lines(text.change_lines(written.changes, several=several))
    elif written.tables is not None:
        tell_lines(text.nothing_found(written.tables, skipped=written.skipped))


def _tell_merged(alembic: Alembic, written: Script | None) -> None:
    if written is None:
        tell_lines([text.nothing_to_merge(alembic.heads())])
    else:
        _tell_wrote(alembic, written)


def _tell_wrote(alembic: Alembic, script: Script) -> None:
    folder = alembic.script_directory.dir
    tell_lines([f"Wrote {display(script.path, folder)}"], fg="green")


def _not_one(revision: str, found: t.Sequence[Script]) -> TargetError:
    from ..errors import TargetError

    if not found:
        return TargetError(
            f"There is no revision at '{revision}'.",
            target=revision,
            hint="Run 'flask db log' to see all revisions.",
        )

    ids = [script.revision for script in found]
    return TargetError(
        f"'{revision}' is {len(ids)} revisions: {', '.join(ids)}.",
        target=revision,
        hint=f"Name one: flask db edit {ids[0]}.",
    )
