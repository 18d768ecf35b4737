"""Runs of ``prepare`` that are killed, each at another statement, and the one after it.
It is a program of its own, as it forks. Its arguments are the app's folder, a URL, the
first point and the distance to the next.

It prints how both ended, and where the database is, as JSON.
"""

from __future__ import annotations

import sqlalchemy as sa
from flask import Flask

from flask_alembic import Alembic
from killed_runs import Killer
from killed_runs import main


def run(folder: str, url: str, at: int) -> None:
    app = Flask("app", root_path=folder)
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    Killer(engine, at)
    alembic = Alembic(app, metadatas=sa.MetaData(), engines=engine)

    with app.app_context():
        alembic.prepare()


if __name__ == "__main__":
    main(run)
