"""Imports the extension and registers it on an app, as a web worker does that never
migrates.
"""

from __future__ import annotations

import importlib
import sys
import typing as t

from bench.workers.answers import answer
from bench.workers.answers import Found
from bench.workers.answers import Task
from bench.workers.answers import timed


def measure(task: Task) -> Found:
    """Time it.

    :param task: ``module``, ``extension`` (a class in it), ``run_mkdir``.
    """
    _, base = timed(_import_others)
    import flask
    import flask_sqlalchemy

    app = flask.Flask(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite://"
    db = flask_sqlalchemy.SQLAlchemy(app)
    before = len(sys.modules)

    def register() -> None:
        module = importlib.import_module(task["module"])
        options = {"db": db} if task["extension"] == "Migrate" else {}
        extension: t.Any = getattr(module, task["extension"])(**options)
        extension.init_app(app)

    _, own = timed(register)
    return {
        **own,
        "base": base,
        "modules": len(sys.modules) - before,
        "has_alembic": "alembic" in sys.modules,
    }


def _import_others() -> None:
    import flask  # noqa: F401
    import flask_sqlalchemy  # noqa: F401


if __name__ == "__main__":
    answer(measure)
