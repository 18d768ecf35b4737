"""Take over a folder and databases that another tool made, or none."""

from __future__ import annotations

import os
import typing as t
from dataclasses import replace
from pathlib import Path

import sqlalchemy as sa
from alembic.runtime.migration import MigrationContext
from alembic.runtime.migration import MigrationStep

from .. import alembic_internals
from .. import env_files
from ..adopt_reports import AdoptedDatabase
from ..adopt_reports import AdoptedFolder
from ..adopt_reports import AdoptReport
from ..env_files import EnvFile
from ..history import History
from ..own_tables import own_names
from ..version_table import read_heads
from .facade import Facade
from .facade import name_of
from .verify import changes_of


def adopt(alembic: Facade, *, apply: bool) -> AdoptReport:
    """Look at the folder and the databases.

    :param alembic: The extension.
    :param apply: Whether to stamp the databases that were made without migrations and
        match the models.
    :return: What was found, and done.
    """
    history = History(alembic.script_directory)
    place = _find_folder(alembic.settings.script_location, alembic.settings.root)
    env = _read_env(place)
    folder = AdoptedFolder(
        path=_display(place, alembic),
        tool=env.tool if env else "Flask-Alembic" if history.ids else "",
        revisions=len(history.ids),
        heads=history.effective_heads,
        customised=env.customised if env else (),
        to_set=_to_set(alembic, place) if env else {},
    )
    databases = tuple(
        _look(alembic, name, context, history)
        for name, context in alembic.migration_contexts.items()
    )

    if apply and any(_is_safe(alembic, database) for database in databases):
        databases = _stamp(alembic, databases)

    return AdoptReport(folder, databases, tuple(_differences(env)))


def _look(
    alembic: Facade, name: str, context: MigrationContext, history: History
) -> AdoptedDatabase:
    connection = t.cast(sa.Connection, context.connection)
    table = alembic_internals.version_column(context).table
    current = tuple(sorted(read_heads(context, name)))
    inspector = sa.inspect(connection)
    tables = len({*inspector.get_table_names()} - {table.name, *own_names(context)})
    is_made = bool(tables and not current and history.ids)
    return AdoptedDatabase(
        database=name,
        version_table=table.fullname,
        has_version_table=inspector.has_table(table.name, schema=table.schema),
        current=current,
        unknown=history.unknown(current),
        tables=tables,
        changes=changes_of(context, name) if is_made else None,
    )


def _is_safe(alembic: Facade, database: AdoptedDatabase) -> bool:
    """Whether it is plain that a database is at the heads. Without models nothing is
    compared.
    """
    return database.changes == () and bool(alembic.databases[database.database].tables)


def _stamp(
    alembic: Facade, databases: tuple[AdoptedDatabase, ...]
) -> tuple[AdoptedDatabase, ...]:
    """Stamp the databases that are at the heads. They are compared once more, where
    they are stamped.
    """
    script = alembic.script_directory
    safe = {d.database for d in databases if _is_safe(alembic, d)}
    stamped: set[str] = set()

    def work(heads: tuple[str, ...], context: MigrationContext) -> list[MigrationStep]:
        name = name_of(alembic, context)

        if name not in safe or heads or changes_of(context, name):
            return []

        stamped.add(name)
        return alembic_internals.stamp_steps(script, ["heads"], ())

    alembic.run_migrations(work)
    heads = History(script).effective_heads
    return tuple(
        replace(d, stamped=heads) if d.database in stamped else d for d in databases
    )


def _find_folder(location: Path, root: Path) -> Path:
    """The migrations folder: the configured one, else one that a file of Alembic's
    names.
    """
    if (location / "env.py").exists():
        return location

    for here in (root, root.parent):
        for name, read in _NAMED_IN.items():
            if (here / name).is_file():
                text = (here / name).read_text("utf-8", errors="replace")
                named = read(text, str(here))

                if named and (here / named / "env.py").exists():
                    return here / named

    return location


_NAMED_IN: t.Final[dict[str, t.Callable[[str, str], str | None]]] = {
    "alembic.ini": env_files.ini_location,
    "pyproject.toml": env_files.pyproject_location,
}


def _read_env(folder: Path) -> EnvFile | None:
    path = folder / "env.py"

    if not path.exists():
        return None

    return env_files.read_env(path.read_text("utf-8", errors="replace"))


def _differences(env: EnvFile | None) -> t.Iterator[str]:
    """What the user has to know. Only what applies."""
    if env is None:
        return

    customised = {item.name for item in env.customised}
    yield from env_files.differences(env.tool, customised, env.problem)


def _to_set(alembic: Facade, place: Path) -> dict[str, t.Any]:
    """What is missing in the config, for revisions to be found."""
    if place == alembic.settings.script_location:
        return {}

    return {"script_location": _display(place, alembic)}


def _display(path: Path, alembic: Facade) -> str:
    return Path(os.path.relpath(path, alembic.settings.root)).as_posix()
