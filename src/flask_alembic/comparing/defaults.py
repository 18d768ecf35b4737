"""Where the server defaults of a database are compared: by what they mean, and those
that the server has to be asked about together.
"""

from __future__ import annotations

import typing as t
from contextlib import suppress

import sqlalchemy as sa

from ..server_defaults import differs

if t.TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext

# PostgreSQL has a limit of columns in a result.
_TOGETHER: t.Final = 500


def compare_by_meaning(context: MigrationContext) -> None:
    """Let a context compare defaults by what they mean.

    This goes where Alembic's dialects compare. Its ``compare_server_default`` option
    can't be a function here: Alembic fails then on computed columns.

    :param context: A context of ours.
    """
    context.impl.compare_server_default = ByMeaning(context)  # type: ignore[method-assign]


class ByMeaning:
    """Compares the defaults of a database. What has to be asked is asked once.

    :param context: The context of the database.
    """

    def __init__(self, context: MigrationContext) -> None:
        self._impl = context.impl
        self._by_text: t.Callable[..., t.Any] = context.impl.compare_server_default
        self._answers: dict[t.Hashable, bool] = {}

    def __call__(
        self,
        inspected_column: sa.Column[t.Any],
        metadata_column: sa.Column[t.Any],
        rendered_metadata_default: str | None,
        rendered_inspector_default: str | None,
    ) -> bool:
        """Whether two defaults differ.

        :param inspected_column: The column as the database has it.
        :param metadata_column: The column as the model has it.
        :param rendered_metadata_default: The default of the model, as SQL.
        :param rendered_inspector_default: The default of the database, as SQL.
        :return: ``True`` if they do.
        """
        different = differs(
            inspected_column,
            metadata_column,
            rendered_inspector_default,
            self._impl.dialect,
        )

        if different is not None:
            return different

        texts = (rendered_metadata_default, rendered_inspector_default)
        is_counted = metadata_column.table.autoincrement_column is metadata_column

        if (answer := self._answers.get(texts)) is not None and not is_counted:
            return answer

        return bool(self._by_text(inspected_column, metadata_column, *texts))

    def ask_about(self, defaults: t.Iterable[tuple[str, sa.Column[t.Any]]]) -> None:
        """Ask the server about many defaults at once, where their texts don't tell.

        :param defaults: Defaults as the database has them, as SQL, with the columns of
            the models.
        """
        questions = {}

        for inspected, column in defaults:
            if differs(column, column, inspected, self._impl.dialect) is None:
                texts = (self._rendered(column), inspected)

                if texts[0] is not None and texts not in self._answers:
                    questions[texts] = self._question(column, *texts)

        known = [(key, asked) for key, asked in questions.items() if asked is not None]

        for start in range(0, len(known), _TOGETHER):
            self._ask(dict(known[start : start + _TOGETHER]))

    def _rendered(self, column: sa.Column[t.Any]) -> str | None:
        """The default of a model as Alembic renders it."""
        default = column.server_default

        if not isinstance(default, sa.DefaultClause) or isinstance(default.arg, str):
            return None

        return str(
            default.arg.compile(
                dialect=self._impl.dialect, compile_kwargs={"literal_binds": True}
            )
        )

    def _question(
        self, column: sa.Column[t.Any], rendered: str | None, inspected: str
    ) -> sa.Select[t.Any] | None:
        """What Alembic would ask about one default."""
        before = self._impl.connection
        noted = _Noted()
        self._impl.connection = t.cast(t.Any, noted)

        try:
            self._by_text(column, column, rendered, inspected)
        finally:
            self._impl.connection = before

        return noted.question

    def _ask(self, questions: t.Mapping[t.Hashable, sa.Select[t.Any]]) -> None:
        connection = self._impl.connection

        if connection is None:
            return

        together = sa.select(
            *(
                asked.scalar_subquery().label(f"default_{number}")
                for number, asked in enumerate(questions.values())
            )
        )

        # One that is no SQL in a comparison fails them all. Then each is asked alone.
        with suppress(sa.exc.DBAPIError), connection.begin_nested():
            row = connection.execute(together).one()
            equal = zip(questions, row, strict=True)
            self._answers.update({key: not answer for key, answer in equal})


class _Noted:
    """Stands in for a connection, and notes what it is asked."""

    question: sa.Select[t.Any] | None = None

    def scalar(self, question: sa.Select[t.Any]) -> bool:
        self.question = question
        return True
