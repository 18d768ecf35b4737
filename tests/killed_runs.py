"""Upgrades that are killed, each at another point, and the one after it. It is a
program of its own, as it forks. Its arguments are the app's folder, a URL, the first
point and the distance to the next.

It prints how both ended and what the second left behind, as JSON.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import typing as t

import sqlalchemy as sa
from flask import Flask

from flask_alembic import Alembic

READS: t.Final = ("SELECT", "SHOW", "DESCRIBE", "PRAGMA", "BEGIN", "SET")


class Killer:
    """Ends its own process before the n-th statement that writes. Where we commit by
    ourselves, what is between two statements is not the same at once after the first.
    """

    def __init__(self, at: int) -> None:
        self.count = 0
        self.at = at

    def listen(self, engine: sa.Engine) -> None:
        """Count what SQLAlchemy executes."""
        sa.event.listen(engine, "before_cursor_execute", self._hear)

        if engine.dialect.name == "mysql":
            sa.event.listen(engine, "after_cursor_execute", self._hear)

    def _hear(
        self, connection: t.Any, cursor: t.Any, statement: str, *args: t.Any
    ) -> None:
        self.tick(statement)

    def tick(self, statement: str) -> None:
        """Count a statement."""
        if statement.lstrip().upper().startswith(READS):
            return

        self.count += 1

        if self.count == self.at:
            os.kill(os.getpid(), signal.SIGKILL)


def main(run: t.Callable[[str, str, int], None]) -> None:
    """Kill runs, one after another.

    :param run: Does it: called with the app's folder, a URL, and the statement to die
        at; at 0 it lives.
    """
    folder, url, first, distance = sys.argv[1:]
    results = []
    # What is loaded once is there in all children.
    run(folder, url, 0)

    for at in range(int(first), 1000, int(distance)):
        engine = sa.create_engine(url, poolclass=sa.NullPool)
        drop_all(engine)
        was_killed = in_child(run, folder, url, at)
        again = in_child(run, folder, url, 0)
        results.append([was_killed, again, state(engine)])

        if was_killed == 0:
            break

    print(json.dumps(results))


def in_child(function: t.Callable[..., None], *args: t.Any) -> int:
    """Call a function in a process of its own: its exit code."""
    pid = os.fork()

    if pid == 0:
        try:
            function(*args)
            os._exit(0)
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)

    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def run(folder: str, url: str, at: int) -> None:
    app = Flask("app", root_path=folder)
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    Killer(at).listen(engine)
    alembic = Alembic(app, metadatas=sa.MetaData(), engines=engine)

    with app.app_context():
        alembic.upgrade()


def drop_all(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        for name in sa.inspect(connection).get_table_names():
            connection.exec_driver_sql(f"DROP TABLE {name}")


def state(engine: sa.Engine) -> dict[str, t.Any]:
    """All that a database holds, also what should not be there, but for the history,
    which holds times.
    """
    with engine.connect() as connection:
        inspector = sa.inspect(connection)
        found = sa.MetaData()
        found.reflect(connection, only=lambda name, _: not name.endswith("_history"))
        return {
            table.name: {
                "columns": table.columns.keys(),
                "indexes": sorted(
                    str(index["name"]) for index in inspector.get_indexes(table.name)
                ),
                "rows": [list(row) for row in connection.execute(sa.select(table))],
            }
            for table in found.sorted_tables
        }


if __name__ == "__main__":
    main(run)
