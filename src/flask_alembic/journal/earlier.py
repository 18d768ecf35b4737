"""What an earlier run did of a revision: whether a statement was done, and whether the
schema is still as it was left.
"""

from __future__ import annotations

import logging
import typing as t

from ..ddl.effects import net_effects
from ..ddl.effects import read_effects
from ..sql_words import is_data
from . import errors
from . import lookup
from .table import digest

if t.TYPE_CHECKING:
    from ..ddl.words import Effects
    from .errors import Place
    from .table import Entry
    from .table import JournalTable

_log = logging.getLogger("flask_alembic")


class Earlier:
    """What is noted of a revision.

    :param table: The table of the journal.
    :param place: The revision.
    :param entries: What is noted of it, by position.
    """

    def __init__(
        self, table: JournalTable, place: Place, entries: t.Mapping[int, Entry]
    ) -> None:
        self._table = table
        self._place = place
        self._entries = entries
        self._is_checked = not entries

    def find(self, position: int, statement: str) -> Entry | None:
        """What is noted of a statement that was done.

        :param position: Its position in the revision.
        :param statement: Its text.
        :return: The entry; ``None`` if the statement is to run.
        :raises ChangedStatementError: If another one was done there.
        :raises UndecidedError: If nobody knows whether it was done.
        """
        entry = self._entries.get(position)

        if entry is None:
            return None

        is_same = entry.sha == digest(statement)
        is_done = entry.state == "done"

        if not is_done:
            # What was begun, also if the file has something else there now.
            text = statement if is_same else entry.statement
            effects = self._effects(text) if is_same or entry.is_whole else None
            is_done = self._find_out(entry, effects)

        if is_done and not is_same:
            raise errors.changed(self._place, entry, statement)

        return entry if is_done else None

    def can_be_found_out(self, entry: Entry) -> bool:
        """Whether the schema tells that a statement took effect, so that its mark can
        wait for the next note.

        :param entry: What is noted of it.
        :return: ``False`` also where a note can't be marked together with another one.
        """
        if not self._table.commits_ddl or not entry.is_whole:
            return False

        effects = self._effects(entry.statement)
        return effects is not None and bool(effects.seen)

    def check_schema(self, skipped: t.Sequence[str]) -> None:
        """Before the first statement that is new, check that the schema is as those
        left it that are skipped: somebody may have undone them by hand.

        :param skipped: The statements that are skipped.
        :raises HalfDoneError: If it is not.
        """
        if self._is_checked or not skipped:
            return

        self._is_checked = True
        connection = self._table.connection
        effects = [self._effects(text) for text in skipped if not is_data(text)]

        for effect in net_effects(effects):
            if not lookup.is_so(connection, effect):
                last = self._entries[max(self._entries)]
                raise errors.undone(self._place, last, effect)

        _log.info(
            "Revision %s goes on after statement %s on '%s': so much was done before.",
            self._place.of.revision,
            len(skipped),
            self._place.database,
        )

    def check_end(self, position: int) -> None:
        """Check that a revision has all that was done of it.

        :param position: The position of its last statement.
        :raises ChangedStatementError: If it ended too early.
        """
        for later in sorted(self._entries):
            if later > position:
                raise errors.changed(self._place, self._entries[later], None)

    def _find_out(self, entry: Entry, effects: Effects | None) -> bool:
        """Whether a statement took effect whose note has no mark; the note is put
        right.
        """
        found: bool | None = None

        if effects is not None and effects.seen:
            found = lookup.took_effect(self._table.connection, effects)

        if found is None and effects is not None and effects.can_repeat:
            found = False

        if found is None:
            raise errors.undecided(self._place, entry)

        if found:
            self._table.finish(self._place.of, entry)
        else:
            self._table.remove(self._place.of, entry.position)

        self._table.commit_now()
        return found

    def _effects(self, statement: str) -> Effects | None:
        folds = lookup.folds_names(self._table.connection)
        return read_effects(statement, folds_names=folds)
