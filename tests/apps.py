"""Apps for tests: small, each in its own folder, closed at the end."""

from __future__ import annotations

import asyncio
import itertools
import typing as t
from pathlib import Path

import sqlalchemy as sa
from flask import Flask
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.ext.asyncio import create_async_engine

from flask_alembic import Alembic


def todo_metadata() -> sa.MetaData:
    """Metadata with one table, ``todo``."""
    metadata = sa.MetaData()
    sa.Table(
        "todo",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("text", sa.String(50)),
    )
    return metadata


class Apps:
    """Makes apps, and disposes their engines when a test is over."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._engines: list[sa.Engine] = []
        self._async_engines: list[AsyncEngine] = []
        self._counter = itertools.count(1)

    def flask(self, name: str | None = None, **config: t.Any) -> Flask:
        """An app without Alembic, whose root is a new folder."""
        root = self.folder / (name or f"app{next(self._counter)}")
        root.mkdir(exist_ok=True)
        # Flask-SQLAlchemy makes this folder, which would be in the current one.
        app = Flask("app", root_path=str(root), instance_path=str(root / "instance"))
        app.config.update(config)
        return app

    def engine(self, url: str, **options: t.Any) -> sa.Engine:
        """An engine that is disposed at the end."""
        engine = sa.create_engine(url, **options)
        self._engines.append(engine)
        return engine

    def async_engine(self, url: str, **options: t.Any) -> AsyncEngine:
        """An async engine that is disposed at the end."""
        engine = create_async_engine(url, **options)
        self._async_engines.append(engine)
        return engine

    def plain_async(
        self, url: str, metadata: sa.MetaData | None = None, **options: t.Any
    ) -> tuple[Flask, Alembic, AsyncEngine]:
        """An app with one database on an async engine. Its metadata is ``todo``."""
        app = self.flask()
        engine = self.async_engine(url, **options)
        metadata = todo_metadata() if metadata is None else metadata
        return app, Alembic(app, metadatas=metadata, engines=engine), engine

    def plain(
        self,
        url: str,
        metadata: sa.MetaData | None = None,
        *,
        name: str | None = None,
        extension: type[Alembic] = Alembic,
        **config: t.Any,
    ) -> tuple[Flask, Alembic]:
        """An app with one database on plain SQLAlchemy. Its metadata is ``todo``."""
        app = self.flask(name, **config)
        metadata = todo_metadata() if metadata is None else metadata
        alembic = extension(app, metadatas=metadata, engines=self.engine(url))
        return app, alembic

    def several(
        self,
        urls: t.Mapping[str, str],
        metadatas: t.Mapping[str | None, sa.MetaData] | None = None,
        **config: t.Any,
    ) -> tuple[Flask, Alembic]:
        """An app with several databases. Each has the table ``todo``."""
        app = self.flask(**config)
        alembic = Alembic(
            app,
            metadatas=metadatas or {name: todo_metadata() for name in urls},
            engines={name: self.engine(url) for name, url in urls.items()},
        )
        return app, alembic

    def close(self) -> None:
        """Close all connections."""
        for engine in self._engines:
            engine.dispose()

        for async_engine in self._async_engines:
            asyncio.run(async_engine.dispose())


def write_revision(
    app: Flask,
    revision: str,
    down_revision: str | tuple[str, ...] | None = None,
    *,
    upgrade: str = "pass",
    downgrade: str = "pass",
    message: str = "",
    folder: str = "migrations",
    header: str = "",
    arguments: str = "",
    **attributes: t.Any,
) -> Path:
    """Write a revision file by hand."""
    names = {"revision": revision, "down_revision": down_revision, **attributes}
    lines = "\n".join(f"{name} = {value!r}" for name, value in names.items())

    def body(code: str) -> str:
        return "\n".join(f"    {line}" for line in code.splitlines())

    path = Path(app.root_path, folder, f"{revision}_.py")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f'"""{message or revision}"""\n'
        "from alembic import op\n"
        "import sqlalchemy as sa\n"
        f"{header}\n{lines}\n\n"
        f"def upgrade({arguments}):\n{body(upgrade)}\n\n"
        f"def downgrade({arguments}):\n{body(downgrade)}\n"
    )
    return path
