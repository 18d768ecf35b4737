"""For test suites of apps: databases at head for a test session, and a clean copy of
them for each test. Import this where tests are; nothing else does.
"""

from __future__ import annotations

import typing as t
from contextlib import contextmanager
from contextlib import ExitStack

from .database_copies import DatabaseCopies
from .database_copies import made_copies

if t.TYPE_CHECKING:
    import sqlalchemy as sa
    from flask import Flask

    from .extension import Alembic

URLs = t.TypeVar("URLs", str, t.Mapping[str, str])
"""The URL of a database, or those of several by name."""


class DatabasesAtHead(t.Generic[URLs]):
    """Databases that were brought to head, to be copied. :func:`databases_at_head`
    makes them.

    .. versionadded:: 4.0
    """

    def __init__(self, made: t.Mapping[str, DatabaseCopies], *, single: bool) -> None:
        self._made = dict(made)
        self._single = single

    @contextmanager
    def copy(self) -> t.Iterator[URLs]:
        """Have a clean copy for a while.

        On PostgreSQL it is made of the database at head as a template, on SQLite it is
        a copy of the file. On MariaDB and MySQL it is the database at head itself, in
        which the tables are emptied at the end that were written to: there is one copy
        at a time, and tables that a test makes stay.

        :return: The URL of the copy, or those of the copies by name.
        """
        with ExitStack() as stack:
            urls = {
                name: stack.enter_context(copies.copy())
                for name, copies in self._made.items()
            }
            yield _form(urls, self._single)

    def copy_into(self, connection: sa.Connection, name: str = "") -> None:
        """Copy a SQLite database over the one that a connection leads to, such as one
        in memory.

        :param connection: The connection.
        :param name: Which database is to be copied, if there are several.
        :raises ConfigurationError: If it is not of SQLite.
        """
        self._made[name].copy_into(connection)


@contextmanager
def databases_at_head(
    create_app: t.Callable[[URLs], Flask], url: URLs
) -> t.Iterator[DatabasesAtHead[URLs]]:
    """Make databases, and bring them to head by :meth:`.Alembic.prepare`.

    They have names of their own, so that any number of processes may do this at once,
    as those of pytest-xdist do. They are dropped at the end. Those of a process that
    was killed are dropped by the next one.

    :param create_app: Gets the URL of a database, or those of several by name, and
        makes an app that uses them.
    :param url: The URL of a server to make the databases on, or several by name. The
        database in it is connected to on PostgreSQL, and is never changed. Of SQLite,
        the file does not matter.
    :return: The databases.

    .. versionadded:: 4.0
    """
    single = isinstance(url, str)
    urls = {"": url} if isinstance(url, str) else url

    with ExitStack() as stack:
        made = {
            name: stack.enter_context(made_copies(place))
            for name, place in urls.items()
        }
        places = {name: copies.url for name, copies in made.items()}
        _prepare(create_app(_form(places, single)))

        for copies in made.values():
            copies.remember()

        yield DatabasesAtHead(made, single=single)


def database_fixtures(
    create_app: t.Callable[[URLs], Flask], url: URLs | t.Callable[[], URLs]
) -> tuple[t.Any, t.Any]:
    """Make two fixtures of pytest, to be assigned to names of yours in ``conftest.py``.

    :param create_app: As of :func:`databases_at_head`.
    :param url: As of :func:`databases_at_head`, or a function that returns that.
    :return: The fixture ``databases_at_head`` of a session, and the fixture
        ``database_url`` of a test, which is the URL of a clean copy.

    .. versionadded:: 4.0
    """
    import pytest

    @pytest.fixture(scope="session", name="databases_at_head")
    def at_head() -> t.Iterator[DatabasesAtHead[URLs]]:
        """Databases at head."""
        place = url() if callable(url) else url

        with databases_at_head(create_app, place) as found:
            yield found

    @pytest.fixture(name="database_url")
    def copy(databases_at_head: DatabasesAtHead[URLs]) -> t.Iterator[URLs]:
        """The URL of a clean copy."""
        with databases_at_head.copy() as found:
            yield found

    return at_head, copy


def _form(urls: t.Mapping[str, str], single: bool) -> t.Any:
    return urls[""] if single else urls


def _prepare(app: Flask) -> None:
    """Bring the databases to head, and leave no connection to them: PostgreSQL copies
    no database that somebody is connected to.
    """
    alembic: Alembic = app.extensions["alembic"]

    with app.app_context():
        try:
            alembic.prepare()
        finally:
            engines = [database.engine for database in alembic.databases.values()]

    for engine in engines:
        engine.dispose()
