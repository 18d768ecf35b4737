"""``--sql``: the option that makes a command write what it would run."""

from __future__ import annotations

import functools
import re
import sys
import typing as t
from contextlib import redirect_stdout
from pathlib import Path

import click
from click.core import ParameterSource

from .options import alembic_log

if t.TYPE_CHECKING:
    from ..extension import Alembic

F = t.TypeVar("F", bound=t.Callable[..., t.Any])

# What counts for a script too. These, and the options that are used as they are read.
_SHARED: t.Final = frozenset({"target", "targets", "verbose"})

_options = (
    click.option("--sql", is_flag=True, help="Write SQL to stdout, and run nothing."),
    click.option(
        "--output",
        metavar="FOLDER",
        type=click.Path(file_okay=False),
        help="With --sql: write NAME.sql in this folder for each database.",
    ),
    click.option(
        "--dialect",
        metavar="NAME",
        help="With --sql: write for postgresql, mysql, mariadb, sqlite, oracle or"
        " mssql, instead of the engine's kind.",
    ),
)


def sql_options(command: F) -> F:
    """Let a command write its SQL instead: ``--sql``, ``--output``, ``--dialect``. It
    has to be called like its function, and may have ``TARGET`` and ``--verbose``.

    :param command: The command's function, above ``click.pass_obj``.
    :return: A function with the options, which calls it where they are not given.
    """

    @functools.wraps(command)
    def run(
        *args: t.Any,
        sql: bool,
        output: str | None,
        dialect: str | None,
        **kwargs: t.Any,
    ) -> t.Any:
        ctx = click.get_current_context()

        if sql:
            _refuse(ctx, set(kwargs) - _SHARED)
            scripts = _scripts(ctx.obj, command.__name__, dialect, kwargs)
            return _write(scripts, output)

        for name, value in (("output", output), ("dialect", dialect)):
            if value is not None:
                raise click.UsageError(f"--{name} is for scripts. Add --sql.", ctx)

        return command(*args, **kwargs)

    for option in reversed(_options):
        run = option(run)

    return t.cast(F, run)


def _scripts(
    alembic: Alembic, command: str, dialect: str | None, options: dict[str, t.Any]
) -> dict[str, str]:
    target = options.get("target", options.get("targets"))
    more = {"target": target} if target else {}

    with alembic_log(options.get("verbose", False)):
        # A revision that prints must not print into the script.
        with redirect_stdout(sys.stderr):
            scripts = alembic.sql(command=command, dialect=dialect, **more)

    sys.stderr.flush()
    return scripts


def _refuse(ctx: click.Context, names: t.Collection[str]) -> None:
    """What a script can't follow must not be left out in silence."""
    for name in sorted(names):
        if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            flag = name.replace("_", "-")
            raise click.UsageError(f"--{flag} needs a database. Leave out --sql.", ctx)


def _write(scripts: t.Mapping[str, str], output: str | None) -> None:
    from ..render import sql as render

    if output is None:
        # Bytes: what the locale has no character for would be lost.
        click.echo(render.all_scripts(scripts).encode(), nl=False)
        return

    for name, script in scripts.items():
        # A name may hold a slash.
        file_name = re.sub(r"[^\w.-]", "_", name)
        path = Path(output, f"{file_name}.sql")
        _write_file(path, render.one_script(script))
        click.secho(f"Wrote {path}", fg="green")


def _write_file(path: Path, text: str) -> None:
    from ..folders import write_whole

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text.encode())
    except OSError as error:
        from ..errors import FlaskAlembicError

        raise FlaskAlembicError(
            f"{path}: {error.strerror or error}",
            hint="Name a folder that can be written to: --output FOLDER.",
        ) from error
