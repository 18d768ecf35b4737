"""A database is a name, an engine and metadata. They are found here; none connects."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass
from functools import lru_cache

import sqlalchemy as sa

from .registration import as_mapping
from .registration import DEFAULT as DEFAULT

Metadatas = dict[str, "sa.MetaData | list[sa.MetaData]"]
Engines = dict[str, "sa.Engine"]


@dataclass(frozen=True)
class Database:
    """One database that is migrated."""

    name: str
    engine: sa.Engine
    metadata: sa.MetaData | list[sa.MetaData]
    schema: str | None = None
    schema_translate_map: t.Mapping[str | None, str | None] | None = None

    @property
    def tables(self) -> int:
        """Number of tables in the metadata."""
        metadatas = (
            [self.metadata]
            if isinstance(self.metadata, sa.MetaData)
            else (self.metadata)
        )
        return sum(len(metadata.tables) for metadata in metadatas)


@lru_cache
def identifier(name: str) -> str:
    """The name of a database as it can be used in a function's name.

    :param name: Such as ``auth-db``.
    :return: Such as ``auth_db``.
    """
    return re.sub(r"\W", "_", name)


def default_name(names: t.Collection[str]) -> str:
    """Which of several databases is meant where none is named.

    :param names: The names of all databases, at least one.
    :return: ``default`` if there is one called so, otherwise the first.
    """
    return DEFAULT if DEFAULT in names else next(iter(names))


def read_metadatas(value: object) -> Metadatas:
    """Bring the ``metadatas`` argument to its one form.

    :param value: A ``MetaData``, a collection of them, a dict of name to either, or
        ``None``. Flask-SQLAlchemy's ``db.metadatas`` is such a dict: its key ``None``
        is the default database.
    :return: Name to ``MetaData`` or list of ``MetaData``.
    :raises ConfigurationError: If something else was given.
    """
    items = _named(value)
    result: Metadatas = {}

    for name, item in items.items():
        found = (
            list(item) if isinstance(item, (list, tuple, set, frozenset)) else [item]
        )

        for metadata in found:
            if not isinstance(metadata, sa.MetaData):
                raise _wrong_type("metadatas", metadata, "a MetaData")

        result[name] = found if len(found) != 1 or found is item else found[0]

    _check_names("metadatas", result)
    return result


def read_engines(value: object) -> Engines:
    """Bring the ``engines`` argument to its one form.

    :param value: An ``Engine`` or ``AsyncEngine``, a dict of name to them, or ``None``.
    :return: Name to ``Engine``. That of an ``AsyncEngine`` is the sync one inside it.
    :raises ConfigurationError: If something else was given.
    """
    items = {
        name: getattr(engine, "sync_engine", engine)
        for name, engine in _named(value).items()
    }

    for engine in items.values():
        if not isinstance(engine, sa.Engine):
            raise _wrong_type("engines", engine, "an Engine")

    _check_names("engines", items)
    return items


def find_databases(
    metadatas: Metadatas, engines: Engines, extension: t.Any
) -> dict[str, Database]:
    """Put each metadata and its engine together.

    :param metadatas: From the constructor; empty means ask the extension.
    :param engines: From the constructor; empty means ask the extension.
    :param extension: ``app.extensions["sqlalchemy"]``, Flask-SQLAlchemy or -Lite, or
        ``None``.
    :return: Name to database, in the order of the metadata.
    :raises ConfigurationError: If there is none, or an engine is missing.
    """
    if not metadatas and hasattr(extension, "metadata"):
        metadatas = {DEFAULT: extension.metadata}

    if not metadatas:
        raise _missing(
            "There is no metadata to migrate to.",
            "Pass it: Alembic(metadatas=Model.metadata). With Flask-SQLAlchemy,"
            " call db.init_app(app): its metadata is used then.",
        )

    if not engines and extension is not None:
        engines = _engines_of(extension)

    engines = _pair_up(metadatas, engines)

    if missing := [name for name in metadatas if name not in engines]:
        names = ", ".join(f"'{name}'" for name in missing)
        raise _missing(
            f"There is no engine for the metadata of {names}.",
            "Configure it in Flask-SQLAlchemy(-Lite), or pass it:"
            f" Alembic(engines={{'{missing[0]}': engine}}).",
        )

    return {
        name: Database(name, engines[name], metadata)
        for name, metadata in metadatas.items()
    }


def read_connections(
    value: object, databases: t.Mapping[str, Database]
) -> dict[str, sa.Connection]:
    """Bring somebody's own connections to one form.

    :param value: A ``Connection`` to the default database, or a dict of name to
        ``Connection``.
    :param databases: All databases.
    :return: Name to ``Connection``.
    :raises ConfigurationError: If something else was given.
    """
    if not isinstance(value, t.Mapping):
        value = {default_name(databases): value}

    for name, connection in value.items():
        if type(connection).__name__ == "AsyncConnection":
            raise _missing(
                "An AsyncConnection can't be used by code that does not await.",
                "Pass what its run_sync() hands to a function.",
            )

        if not isinstance(connection, sa.Connection):
            raise _missing(
                f"use_connection() got {connection!r}, which is not a Connection.",
                "Pass what engine.connect() returns.",
            )

        if name not in databases:
            raise _missing(
                f"There is no database '{name}'.", f"There are: {', '.join(databases)}."
            )

    return dict(value)


def _engines_of(extension: t.Any) -> Engines:
    """The engines that Flask-SQLAlchemy has, or makes now of the URLs in the config."""
    try:
        engines = read_engines(dict(extension.engines))
        # Flask-SQLAlchemy-Lite has async engines too.
        more = read_engines(dict(getattr(extension, "async_engines", {})))
    except ValueError:
        # It quotes the part of the URL that is no port, which may be the password.
        problem = "ValueError"
    except (ImportError, sa.exc.NoSuchModuleError) as error:
        problem = f"{type(error).__name__}: {error}"
    except sa.exc.ArgumentError:
        # Older SQLAlchemy quotes the whole URL.
        problem = "ArgumentError"
    else:
        return _join(engines, more)

    raise _missing(
        f"The engines can't be made: {problem}.",
        "Mend the database's URL in the app's config.",
    ) from None


def _join(engines: Engines, more: Engines) -> Engines:
    """Sync and async engines. One of each may lead to the same database."""
    for name in engines.keys() & more.keys():
        if _place(engines[name].url) != _place(more[name].url):
            raise _missing(
                f"There are two databases '{name}': one has a sync engine, the other an"
                " async one.",
                "Rename one of them.",
            )

    return {**more, **engines}


def _place(url: sa.URL) -> object:
    """Where a database is. One in memory is nowhere else."""
    if url.database in {None, "", ":memory:"}:
        return url

    host = url.host or url.query.get("host")
    return url.get_backend_name(), host, url.port, url.database


def _named(value: object) -> dict[str, t.Any]:
    value = as_mapping(value)

    if None in value and DEFAULT in value:
        raise _missing(
            f"There are two databases '{DEFAULT}': Flask-SQLAlchemy's key None means it"
            " too.",
            "Keep one of them.",
        )

    return {DEFAULT if name is None else name: item for name, item in value.items()}


def _pair_up(metadatas: Metadatas, engines: Engines) -> Engines:
    """One metadata and one engine belong together, if one of them has no name."""
    if len(metadatas) == len(engines) == 1:
        (name,), (engine_name,) = metadatas, engines

        if DEFAULT in (name, engine_name):
            return {name: engines[engine_name]}

    return engines


def _check_names(argument: str, items: t.Mapping[str, object]) -> None:
    seen: dict[str, str] = {}

    for name in items:
        if not isinstance(name, str):
            raise _missing(
                f"A name in {argument} is not a str: {name!r}.", "Name it by a str."
            )

        if other := seen.get(identifier(name)):
            raise _missing(
                f"The databases '{other}' and '{name}' in {argument} can't be told"
                f" apart: revisions call both '{identifier(name)}'.",
                "Rename one of them.",
            )

        seen[identifier(name)] = name


def _wrong_type(argument: str, value: object, wanted: str) -> Exception:
    message = f"{argument} holds {value!r}, which is not {wanted}."
    hint = f"Pass {wanted}, a list, or a dict of name to them."
    attribute = argument.removesuffix("s")

    if hasattr(value, attribute):
        hint = f"Did you mean its '.{attribute}'?"

    return _missing(message, hint)


def _missing(message: str, hint: str) -> Exception:
    # See settings.py: an error loads Alembic, an app that starts well does not.
    from .errors import ConfigurationError

    return ConfigurationError(message, hint=hint)
