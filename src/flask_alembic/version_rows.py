"""What is written to the version table when a step was applied."""

from __future__ import annotations

import typing as t
from functools import cached_property

import sqlalchemy as sa
from alembic.runtime.migration import HeadMaintainer
from alembic.runtime.migration import RevisionStep
from alembic.runtime.migration import StampStep

from .errors import FlaskAlembicError
from .revisions.order import at_or_below
from .revisions.order import children

if t.TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory
    from alembic.script.revision import RevisionMap


class PurgeStep(StampStep):
    """A stamp that empties the version table, whatever is in it, and writes it anew. It
    is for a table that Alembic's own steps can't lead away from.

    :param script: The revisions.
    :param ids: The ids to stand at.
    :param heads: The ids in the table.
    :param kept: Those of them that no file has and that are written again.
    :param asked_for: Whether the user wants the table emptied, not only mended.
    """

    def __init__(
        self,
        script: ScriptDirectory,
        ids: t.Iterable[str],
        heads: t.Collection[str],
        kept: t.Iterable[str] = (),
        *,
        asked_for: bool = False,
    ) -> None:
        # Callbacks of the user's may ask for the revisions of these.
        files = {found.revision for found in script.walk_revisions()} if heads else ()
        known = tuple(id_ for id_ in heads if id_ in files)
        super().__init__(known, tuple(ids), True, True, script.revision_map)
        self.kept: tuple[str, ...] = tuple(kept)
        self.asked_for: bool = asked_for
        self.removed: tuple[str, ...] = tuple(
            sorted(set(heads) - {*self.to_revisions, *self.kept})
        )


class Maintainer(HeadMaintainer):
    """What writes the version table when a step was applied. Where Alembic's own looks
    at all that came before, this one looks at what is next to a revision.

    :param context: The context to write to.
    :param heads: The ids in the table that a file has; they follow the steps.
    :param skipped: The other ids in it, which are left alone. Alembic can't place them.
    """

    def __init__(
        self,
        context: MigrationContext,
        heads: t.Collection[str],
        skipped: t.Collection[str] = (),
    ) -> None:
        super().__init__(context, heads)
        self.skipped: tuple[str, ...] = tuple(skipped)
        self._applied: _Applied | None = None

    @cached_property
    def _insert(self) -> sa.Insert:
        new: sa.BindParameter[str] = sa.bindparam("new")
        return sa.insert(self.context._version).values(version_num=new)

    @cached_property
    def _delete(self) -> sa.Delete:
        old: sa.BindParameter[str] = sa.bindparam("old")
        column = self.context._version.c.version_num
        return sa.delete(self.context._version).where(column == old)

    @cached_property
    def _update(self) -> sa.Update:
        old: sa.BindParameter[str] = sa.bindparam("old")
        new: sa.BindParameter[str] = sa.bindparam("new")
        column = self.context._version.c.version_num
        update = sa.update(self.context._version)
        return update.where(column == old).values(version_num=new)

    @property
    def rows(self) -> tuple[str, ...]:
        """All ids that are in the table."""
        return tuple(sorted({*self.heads, *self.skipped}))

    def update_to_step(self, step: RevisionStep | StampStep) -> None:
        """Write what a step leads to.

        :param step: The step that was applied.
        """
        if isinstance(step, PurgeStep):
            self._purge(step)
        elif isinstance(step, RevisionStep):
            id_ = step.revision.revision
            below = step.revision._normalized_down_revisions

            if step.is_upgrade:
                self._move([d for d in below if d in self.heads], [id_])
            else:
                self._move([id_], self._uncovered(step.revision_map, id_, below))
        else:
            super().update_to_step(step)

    def _move(self, old: list[str], new: list[str]) -> None:
        """Change the rows, in one statement where there is one row."""
        while len(old) > 1 or (old and not new):
            self._delete_version(old.pop(0))

        while len(new) > 1 or (new and not old):
            self._insert_version(new.pop(0))

        if old and new:
            self._update_version(old[0], new[0])

    def _uncovered(
        self, map_: RevisionMap, id_: str, below: t.Iterable[str]
    ) -> list[str]:
        """Of what is below a revision that is undone, that which nothing else needs."""
        if self._applied is None or self._applied.heads != self.heads:
            self._applied = _Applied(map_, self.heads)

        return self._applied.undo(id_, below)

    def _purge(self, step: PurgeStep) -> None:
        self.context.execute(self.context._version.delete())
        self.heads.clear()

        for id_ in (*step.to_revisions, *step.kept):
            self._insert_version(id_)

        self.heads -= {*step.kept}
        self.skipped = step.kept

    # Alembic writes the ids into the text of the statements. With parameters the text
    # is the same each time, for the caches of SQLAlchemy and of the server.

    def _insert_version(self, version: str) -> None:
        if self.context.as_sql:
            super()._insert_version(version)
            return

        self.heads.add(version)
        self._execute(self._insert, {"new": version})

    def _delete_version(self, version: str) -> None:
        if self.context.as_sql:
            super()._delete_version(version)
            return

        self.heads.remove(version)
        self._check_one(self._execute(self._delete, {"old": version}), version)

    def _update_version(self, from_: str, to_: str) -> None:
        if self.context.as_sql:
            super()._update_version(from_, to_)
            return

        self.heads.remove(from_)
        self.heads.add(to_)
        found = self._execute(self._update, {"old": from_, "new": to_})
        self._check_one(found, from_)

    def _execute(
        self, statement: sa.UpdateBase, values: dict[str, str]
    ) -> sa.CursorResult[t.Any]:
        connection = t.cast(sa.Connection, self.context.connection)
        return connection.execute(statement, values)

    def _check_one(self, found: sa.CursorResult[t.Any], version: str) -> None:
        if self.context.dialect.supports_sane_rowcount and found.rowcount != 1:
            raise FlaskAlembicError(
                f"The table '{self.context.version_table}' was expected to hold"
                f" '{version}' once, and holds it {found.rowcount} times.",
                hint="Somebody else changes it meanwhile, or it was changed by hand:"
                " see 'flask db current'.",
            )


class Ledger(Maintainer):
    """What would be written to the version table: nothing is executed.

    :param context: The context of a database.
    :param heads: The ids in its version table that a file has.
    """

    def __init__(self, context: MigrationContext, heads: t.Collection[str]) -> None:
        super().__init__(context, heads)
        self.changes: list[tuple[str | None, str | None]] = []
        """Pairs: an id that goes and the one in its place. One may be ``None``."""

    def _insert_version(self, version: str) -> None:
        self.heads.add(version)
        self.changes.append((None, version))

    def _delete_version(self, version: str) -> None:
        self.heads.remove(version)
        self.changes.append((version, None))

    def _update_version(self, from_: str, to_: str) -> None:
        self.heads.remove(from_)
        self.heads.add(to_)
        self.changes.append((from_, to_))


class _Applied:
    """What is applied while a downgrade goes on.

    :param map_: The revisions.
    :param heads: Where it starts.
    """

    def __init__(self, map_: RevisionMap, heads: t.Collection[str]) -> None:
        down = {
            script.revision: script._normalized_down_revisions
            for script in map_._revision_map.values()
            if script is not None
        }
        self.heads: set[str] = set(heads)
        self._above = children(down)
        self._ids = at_or_below(heads, down)

    def undo(self, id_: str, below: t.Iterable[str]) -> list[str]:
        """Undo a head.

        :param id_: Its id.
        :param below: The ids below it.
        :return: Those of them that are heads now.
        """
        self._ids.discard(id_)
        new = [d for d in below if self._ids.isdisjoint(self._above[d])]
        self.heads = (self.heads - {id_}) | set(new)
        return new
