"""The step that loads a snapshot into a database. What loads it is given to it."""

from __future__ import annotations

import typing as t

from .version_rows import PurgeStep

if t.TYPE_CHECKING:
    from alembic.script import ScriptDirectory

    from .snapshots.past import PastRevision


class LoadStep(PurgeStep):
    """A stamp that makes the schema, too, of an empty database.

    :param script: The revisions.
    :param ids: The ids to stand at.
    :param past: All revisions that the database has then, oldest first.
    :param digest: What is the same only for the same snapshot.
    :param load: What makes the schema. It gets the digest of what an earlier run was
        ended in, or ``None``.
    :param in_parts: Whether a part of it would be kept if that failed.
    """

    def __init__(
        self,
        script: ScriptDirectory,
        ids: t.Iterable[str],
        past: t.Sequence[PastRevision],
        digest: str,
        load: t.Callable[[str | None], None],
        *,
        in_parts: bool,
    ) -> None:
        super().__init__(script, ids, ())
        self.past: tuple[PastRevision, ...] = tuple(past)
        self.digest: str = digest
        self.in_parts: bool = in_parts
        self.before: str | None = None
        """The digest of what an earlier run was ended in."""
        self.migration_fn: t.Any = self._run
        self._load = load

    def _run(self, engine_name: str = "", **kwargs: t.Any) -> None:
        self._load(self.before)

    def cure(self, *, is_noted: bool) -> str:
        """What a user can do when it failed.

        :param is_noted: Whether the next run knows of it.
        :return: Sentences.
        """
        if not self.in_parts:
            return (
                "Nothing of it was kept. Mend the cause, and run the same command"
                " again. To do without the snapshot, delete its file."
            )

        if not is_noted:
            return (
                "A part of it was kept. Drop the database, make an empty one, and run"
                " the same command again."
            )

        return (
            "A part of it was kept, which the next 'flask db prepare' drops. Mend the"
            " cause, and run that. To do without the snapshot, make an empty database."
        )
