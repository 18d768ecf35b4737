"""Which throw-away database stands for an app's database: a file for SQLite, a database
that is made on the same server, or one that the user names.
"""

from __future__ import annotations

import tempfile
import typing as t
from contextlib import contextmanager
from contextlib import ExitStack
from pathlib import Path

import sqlalchemy as sa

from ..errors import FlaskAlembicError
from ..redaction import redact_connecting
from ..redaction import safe_url
from ..snapshots.choice import schema_of
from ..snapshots.kinds import ask
from ..snapshots.kinds import execute
from .emptying import empty
from .engines import engine_at
from .servers import made_database

if t.TYPE_CHECKING:
    from ..databases import Database

_HINT: t.Final = (
    "Name a database that is empty and that nobody needs: --scratch-url URL, or"
    " ALEMBIC['scratch_url']."
)
_WHERE: t.Final = {
    "postgresql": "SELECT current_database()",
    "mysql": "SELECT DATABASE()",
    "mariadb": "SELECT DATABASE()",
    "sqlite": "SELECT file FROM pragma_database_list WHERE name = 'main'",
}


@contextmanager
def scratch_connection(
    database: Database, url: str | None = None
) -> t.Iterator[sa.Connection]:
    """Have an empty database for a while.

    :param database: The database of the app that it stands for.
    :param url: The URL of one that the user has, which is emptied at the end; ``None``
        to make one, and to drop it.
    :return: A connection to it.
    :raises FlaskAlembicError: If there is none.
    """
    if database.engine.dialect.name not in _WHERE:
        raise FlaskAlembicError(
            "There are no snapshots of databases of the kind"
            f" '{database.engine.dialect.name}', which '{database.name}' is.",
            hint="Leave it out: --database, with the names of the others.",
        )

    place = _made(database) if url is None else _named(database, url)

    with place as found, engine_at(database.engine, found, database.name) as engine:
        with _connected(engine, database) as connection:
            _check(connection, database, found)
            connection.rollback()
            _hurry(connection)
            yield connection

            if url is not None:
                connection.rollback()
                connection.execution_options(isolation_level="AUTOCOMMIT")
                empty(connection)


def _connected(engine: sa.Engine, database: Database) -> sa.Connection:
    try:
        return engine.connect()
    except sa.exc.DBAPIError as error:
        raise FlaskAlembicError(
            f"Can't connect to the throw-away database of '{database.name}' at"
            f" {safe_url(engine)}: {_reason(error, engine)}",
            hint=_HINT,
        ) from None


def _reason(error: sa.exc.DBAPIError, engine: sa.Engine) -> str:
    lines = str(error.orig).strip().splitlines()
    return redact_connecting(lines[0] if lines else type(error).__name__, engine)


@contextmanager
def _made(database: Database) -> t.Iterator[sa.URL]:
    engine = database.engine

    with ExitStack() as stack:
        if engine.dialect.name == "sqlite":
            folder = tempfile.TemporaryDirectory(prefix="flask-alembic-scratch-")
            name = str(Path(stack.enter_context(folder), "scratch.db"))
        else:
            name = stack.enter_context(_on_server(database))

        yield engine.url.set(database=name)


@contextmanager
def _on_server(database: Database) -> t.Iterator[str]:
    engine = database.engine

    with ExitStack() as stack:
        try:
            beside = stack.enter_context(engine_at(engine, engine.url, database.name))
            connection = stack.enter_context(beside.connect())
            name = stack.enter_context(made_database(connection))
        except sa.exc.DBAPIError as error:
            raise FlaskAlembicError(
                "A throw-away database can't be made on the server of"
                f" '{database.name}': {_reason(error, engine)}",
                hint=_HINT,
            ) from error

        yield name


@contextmanager
def _named(database: Database, url: str) -> t.Iterator[sa.URL]:
    """Read the URL of the user's. The driver is the app's."""
    own = database.engine.url

    try:
        found = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        # It may quote the password.
        raise FlaskAlembicError(
            "The URL of the throw-away database can't be read.", hint=_HINT
        ) from None

    if own.get_backend_name() == "sqlite":
        raise FlaskAlembicError(
            f"'{database.name}' needs no throw-away database of yours: for SQLite it is"
            " a temporary file.",
            hint="Leave out --scratch-url and ALEMBIC['scratch_url'].",
        )

    kinds = {found.get_backend_name(), own.get_backend_name()}

    if len(kinds - {"mariadb"} | ({"mysql"} if "mariadb" in kinds else set())) > 1:
        raise FlaskAlembicError(
            f"The throw-away database of '{database.name}' is of another kind:"
            f" '{found.get_backend_name()}'.",
            hint=_HINT,
        )

    yield found.set(drivername=own.drivername)


def _check(connection: sa.Connection, database: Database, url: sa.URL) -> None:
    """Check that it is the one that was meant, and that nothing is lost with it."""
    place = str(ask(connection, _WHERE[connection.dialect.name])[0][0] or "")

    if _whole(place) != _whole(url.database or ""):
        raise FlaskAlembicError(
            f"The engine of '{database.name}' connects by a function of its own, so"
            " that it can't lead to a throw-away database.",
            hint="Where snapshots are written, let the engine be made of a URL.",
        )

    if not schema_of(connection).is_empty(()):
        raise FlaskAlembicError(
            f"The throw-away database of '{database.name}' is not empty, and all that"
            " is in it would be dropped.",
            hint="If nobody needs it, drop it and make it again. It may have been left"
            " by a command that was killed.",
        )


def _hurry(connection: sa.Connection) -> None:
    """Wait for no disk: nobody needs the database after a crash."""
    if connection.dialect.name == "sqlite":
        execute(connection, "PRAGMA synchronous = OFF")
        connection.rollback()


def _whole(place: str) -> str:
    return str(Path(place).resolve()) if "/" in place or "\\" in place else place
