"""Runs of ``prepare`` that are killed, each at another statement, and the one after it.
It is a program of its own, as it forks. Its arguments are the app's folder, a URL, the
first point and the distance to the next.

It prints how both ended, and where the database is, as JSON.
"""

from __future__ import annotations

import json
import sys

import sqlalchemy as sa
from flask import Flask

from flask_alembic import Alembic
from killed_runs import drop_all
from killed_runs import in_child
from killed_runs import Killer
from killed_runs import state


def main() -> None:
    folder, url, first, distance = sys.argv[1:]
    results = []
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


def run(folder: str, url: str, at: int) -> None:
    app = Flask("app", root_path=folder)
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    Killer(engine, at)
    alembic = Alembic(app, metadatas=sa.MetaData(), engines=engine)

    with app.app_context():
        alembic.prepare()


if __name__ == "__main__":
    main()
