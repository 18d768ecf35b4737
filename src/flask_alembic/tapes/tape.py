"""What a revision executed, so that it can be executed on another database."""

from __future__ import annotations

import threading
import typing as t
from dataclasses import dataclass
from functools import cached_property

from ..sql_words import COMMITS
from ..sql_words import is_data
from ..steps import step_key

if t.TYPE_CHECKING:
    from alembic.runtime.migration import MigrationStep

Kind = tuple[t.Any, ...]


@dataclass(frozen=True)
class Taped:
    """One statement, as the driver got it."""

    statement: str
    parameters: t.Any = None
    """``None`` where there are none."""

    is_many: bool = False
    """Whether there is a list of parameters."""

    rows: tuple[tuple[t.Any, ...], ...] | None = None
    """The rows that were fetched. The next database has to answer the same."""

    is_whole: bool = False
    """Whether there were no more rows than these."""


@dataclass(frozen=True)
class Tape:
    """One revision on one kind of database."""

    statements: tuple[Taped, ...] = ()
    obstacle: str | None = None
    """Why it can't be replayed, in a few words."""

    @cached_property
    def is_plain(self) -> bool:
        """Whether it is text alone: no values beside it, and no answers to look at."""
        return all(
            taped.parameters is None and taped.rows is None for taped in self.statements
        )

    @cached_property
    def is_neutral(self) -> bool:
        """Whether the session is as before: nothing was set, and nothing made that
        lasts as long as the session.
        """
        return all(_is_neutral(taped.statement) for taped in self.statements)


class Tapes:
    """The tapes of one process. Threads share them."""

    def __init__(self) -> None:
        self._tapes: dict[tuple[Kind, t.Any], Tape] = {}
        self._lock = threading.Lock()

    def add(self, kind: Kind, step: MigrationStep, tape: Tape) -> None:
        """Keep a tape, in the place of an older one.

        :param kind: The kind of database.
        :param step: The step that was run there.
        :param tape: What it executed.
        """
        with self._lock:
            self._tapes[kind, step_key(step)] = tape

    def find(self, kind: Kind, step: MigrationStep) -> Tape | None:
        """The tape of a step.

        :param kind: The kind of database.
        :param step: The step.
        :return: The tape, or ``None`` if it has not been run yet.
        """
        with self._lock:
            return self._tapes.get((kind, step_key(step)))


def _is_neutral(statement: str) -> bool:
    is_known = COMMITS.match(statement) is not None or is_data(statement)
    # Another one may follow.
    is_one = ";" not in statement.rstrip(";\n ")
    return is_known and is_one and "temp" not in statement.lower()
