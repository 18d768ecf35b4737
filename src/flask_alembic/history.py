"""What the revisions are called: ids, labels, heads. Of any script directory, since a
subclass of the extension may have one of its own.
"""

from __future__ import annotations

import typing as t
from functools import cached_property

from alembic.util import CommandError

if t.TYPE_CHECKING:
    from alembic.script import Script
    from alembic.script import ScriptDirectory


class History:
    """The names of all revisions.

    :param script: The revisions.
    """

    def __init__(self, script: ScriptDirectory) -> None:
        self.script = script

    @cached_property
    def ids(self) -> list[str]:
        """The ids of all revisions, newest first."""
        return [script.revision for script in self._scripts]

    @cached_property
    def labels(self) -> set[str]:
        """The labels of all branches."""
        return {label for script in self._scripts for label in script.branch_labels}

    @cached_property
    def _scripts(self) -> list[Script]:
        # To bring all of a history into its order takes long.
        return list(self.script.walk_revisions())

    @cached_property
    def effective_heads(self) -> tuple[str, ...]:
        """The ids that a database is at after ``upgrade heads``: a head that another
        revision depends on is not among them.
        """
        return tuple(script.revision for script in self.script.get_revisions("heads"))

    def unknown(self, ids: t.Iterable[str]) -> tuple[str, ...]:
        """Of some ids those that no file has.

        :param ids: The ids in a version table.
        :return: The ids, in the same order.
        """
        return tuple(id_ for id_ in ids if not self._has(id_))

    def _has(self, id_: str) -> bool:
        # Not "in self.ids": a run asks for each database, and that is a walk through
        # the whole history.
        try:
            found = self.script.get_revision(id_)
        except CommandError:
            return False

        # Alembic takes a part of an id, too, and a label.
        return found is not None and found.revision == id_

    def get_heads(self) -> list[str]:
        """The ids of the heads.

        :return: The ids.
        """
        return self.script.get_heads()
