"""How migrations run: the keys of ``ALEMBIC`` that are ours, and not Alembic's."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from dataclasses import fields
from dataclasses import replace

from .option_values import config_error

if t.TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import sqlalchemy as sa

    UsersLock = t.Callable[[sa.Connection, str], AbstractContextManager[t.Any]]

Reaction = t.Literal["ignore", "warn", "error"]

_REACTIONS: t.Final = t.get_args(Reaction)
_BOOLEANS: t.Final = {"true": True, "false": False}


@dataclass(frozen=True)
class RunSettings:
    """The settings of a run."""

    lock: bool | UsersLock = True
    """Whether a run keeps others off the same database, or what does: a function that
    gets a connection and the name of the database, and returns a context manager."""

    lock_timeout: float = 60.0
    """How long to wait for another run, in seconds."""

    ddl_lock_timeout: float = 2.0
    """How long a statement waits for a table, in seconds; 0 for as long as it takes."""

    ddl_lock_retries: int = 10
    """How often a revision tries again after that."""

    show_queries: bool = True
    """Whether errors quote the queries of others that are in the way."""

    journal: bool = True
    """Whether statements that can't be rolled back are noted in a table."""

    history: bool = True
    """Whether applied revisions are noted in a table."""

    changed_revisions: Reaction = "warn"
    """What to do about revisions that were edited after they were applied."""

    protected: bool | tuple[str, ...] = False
    """Whether downgrades and purges have to be confirmed; or the names of the databases
    where they have to be."""

    scratch_url: str | t.Mapping[str, str] | None = None
    """The URL of a throw-away database, or those of each database by name."""

    def with_options(self, options: t.Mapping[str, t.Any]) -> RunSettings:
        """These settings, with those of a caller on top.

        :param options: Key to value, as in ``ALEMBIC``.
        :return: New settings.
        :raises ConfigurationError: If a value can't be used.
        """
        return replace(self, **_checked(options))

    def is_protected(self, database: str) -> bool:
        """Whether downgrades and purges of a database have to be confirmed.

        :param database: Its name.
        :return: ``True`` if they have to be.
        """
        if isinstance(self.protected, bool):
            return self.protected

        return database in self.protected


KEYS: t.Final = frozenset(field.name for field in fields(RunSettings))


def read_run_settings(options: t.Mapping[str, t.Any]) -> RunSettings:
    """Check the keys of ``ALEMBIC`` that are ours.

    :param options: ``ALEMBIC``, with keys of Alembic's too.
    :return: The settings.
    :raises ConfigurationError: Naming the key, its value and what it should be.
    """
    own = {key: options[key] for key in KEYS & options.keys()}
    given = {key: value for key, value in own.items() if value is not None}
    return RunSettings().with_options(given)


def _checked(options: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    return {key: _CHECKS[key](key, value) for key, value in options.items()}


def _boolean(key: str, value: object) -> bool:
    # In an ini file it is a text.
    found = _BOOLEANS.get(value.lower()) if isinstance(value, str) else value

    if not isinstance(found, bool):
        raise config_error(key, value, "must be true or false")

    return found


def _lock(key: str, value: object) -> object:
    return value if callable(value) else _boolean(key, value)


def _seconds(key: str, value: t.Any) -> float:
    return _number(key, value, float, "a number of seconds, 0 or more")


def _count(key: str, value: t.Any) -> int:
    what = "a whole number, 0 or more"
    count = _number(key, value, int, what)

    if isinstance(value, float) and value != count:
        raise config_error(key, value, f"must be {what}")

    return count


N = t.TypeVar("N", int, float)


def _number(key: str, value: t.Any, kind: type[N], what: str) -> N:
    try:
        found = kind(value)
    except (TypeError, ValueError, OverflowError):
        found = kind(-1)

    # Not "< 0": nan is no number of anything.
    if isinstance(value, bool) or not 0 <= found < float("inf"):
        raise config_error(key, value, f"must be {what}")

    return found


def _reaction(key: str, value: object) -> object:
    if value not in _REACTIONS:
        choices = ", ".join(repr(name) for name in _REACTIONS)
        raise config_error(key, value, f"must be one of {choices}")

    return value


def _names(key: str, value: object) -> bool | tuple[str, ...]:
    if isinstance(value, str):
        # A text of an ini file. Spaces may be a part of a name.
        names = tuple(filter(None, (name.strip() for name in value.split(","))))
        return _BOOLEANS.get(value.strip().lower(), names)

    if isinstance(value, (list, tuple, set, frozenset)):
        if all(isinstance(name, str) for name in value):
            return tuple(value)

    elif isinstance(value, bool):
        return value

    raise config_error(key, value, "must be true, false or a list of databases")


def _urls(key: str, value: object) -> object:
    given = list(value.values()) if isinstance(value, t.Mapping) else [value]

    if not all(isinstance(url, str) for url in given):
        # Not as it is: it may hold a password.
        kind = type(value).__name__
        raise config_error(key, kind, "must be a URL, or a dict of database to URL")

    return value


_CHECKS: t.Final[dict[str, t.Callable[[str, t.Any], t.Any]]] = {
    "lock": _lock,
    "lock_timeout": _seconds,
    "ddl_lock_timeout": _seconds,
    "ddl_lock_retries": _count,
    "show_queries": _boolean,
    "journal": _boolean,
    "history": _boolean,
    "changed_revisions": _reaction,
    "protected": _names,
    "scratch_url": _urls,
}
