"""Loads a history, plans an upgrade through all of it, and keeps the version row up to
date on the way back to base. Nothing is run on a database.
"""

from __future__ import annotations

import typing as t

import sqlalchemy as sa
from alembic.runtime.migration import HeadMaintainer
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Flask

from bench.workers.answers import answer
from bench.workers.answers import Found
from bench.workers.answers import Missing
from bench.workers.answers import Task
from bench.workers.answers import timed


def measure(task: Task) -> Found:
    """Do one of the two.

    :param task: ``migrations``, ``whose``: ``alembic`` or ``ours``, ``what``: ``plan``
        or ``upkeep``.
    """
    is_ours = task["whose"] == "ours"
    load = _load_ours if is_ours else _load
    script, loading = timed(lambda: load(task["migrations"]))
    work = _plan if task["what"] == "plan" else _prepare_upkeep(script, is_ours)
    order, found = timed(lambda: work(script))
    return {**found, "loading": loading, "order": order}


def _plan(script: ScriptDirectory) -> list[str]:
    """Plan an upgrade through everything: the ids, the last one first."""
    return [found.revision for found in script.iterate_revisions("heads", "base")]


def _prepare_upkeep(
    script: ScriptDirectory, is_ours: bool
) -> t.Callable[[ScriptDirectory], list[str]]:
    """Plan a downgrade to base.

    :return: What keeps the version row up to date on the way: gives the ids.
    """
    heads = tuple(script.get_heads())
    steps = script._downgrade_revs("base", t.cast(str, heads))
    base = _maintainer() if is_ours else HeadMaintainer
    maintainer = _silent(base)(_context(script), heads)

    def keep(script: ScriptDirectory) -> list[str]:
        for step in steps:
            maintainer.update_to_step(t.cast(t.Any, step))

        if maintainer.heads:
            raise Missing(f"it ended at {maintainer.heads}")

        return [t.cast(t.Any, step).revision.revision for step in steps]

    return keep


def _load(folder: str) -> ScriptDirectory:
    script = ScriptDirectory(folder, version_locations=[folder])
    script.get_heads()
    return script


def _load_ours(folder: str) -> ScriptDirectory:
    from flask_alembic import Alembic

    app = Flask(__name__)
    app.config["ALEMBIC"] = {"script_location": folder}
    engine = sa.create_engine("sqlite://")
    extension = Alembic(app, metadatas=sa.MetaData(), engines=engine, run_mkdir=False)

    with app.app_context():
        script = extension.script_directory
        script.get_heads()
        return script


def _context(script: ScriptDirectory) -> MigrationContext:
    context = MigrationContext.configure(dialect_name="sqlite", opts={"as_sql": True})
    context.script = script
    return context


def _maintainer() -> type[HeadMaintainer]:
    from flask_alembic.version_rows import Maintainer

    return Maintainer


def _silent(base: type[HeadMaintainer]) -> type[HeadMaintainer]:
    """The same, but no statements are made: it is about finding out what they are."""

    class Silent(base):  # type: ignore[misc,valid-type]
        def _insert_version(self, version: str) -> None:
            self.heads.add(version)

        def _delete_version(self, version: str) -> None:
            self.heads.remove(version)

        def _update_version(self, from_: str, to_: str) -> None:
            self.heads.remove(from_)
            self.heads.add(to_)

    return Silent


if __name__ == "__main__":
    answer(measure)
