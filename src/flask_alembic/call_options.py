"""What a caller asks for besides the target: databases, arguments for revisions, a tag.
Nothing here knows of an app or of Alembic.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from dataclasses import field

from .option_values import nearest

if t.TYPE_CHECKING:
    from argparse import Namespace

T = t.TypeVar("T")

Databases = str | t.Iterable[str]
XArguments = str | t.Mapping[str, object] | t.Iterable[str]


@dataclass(frozen=True)
class CallOptions:
    """What holds for a while, such as for one command."""

    databases: tuple[str, ...] | None = None
    """Names of the databases to work on; ``None`` for all."""

    x: tuple[str, ...] = ()
    """Texts like ``key=value``, for ``context.get_x_argument()`` in a revision."""

    tag: str | None = None
    """For ``context.get_tag_argument()`` in a revision."""

    autogenerate: bool = False
    """Whether a new revision is compared for, as hooks ask of ``config.cmd_opts``."""

    wait: float = 0.0
    """How long to try to connect to a database that is down, in seconds."""

    run: t.Mapping[str, t.Any] = field(default_factory=dict)
    """Settings of a run, instead of those in ``ALEMBIC``."""

    took_effect: bool | None = None
    """Of a statement that an earlier run was ended in: whether it did."""

    lock_first: bool = False
    """Whether other runs are kept off before it is asked what to do."""

    def also(
        self,
        *,
        databases: Databases | None = None,
        x: XArguments | None = None,
        tag: str | None = None,
        autogenerate: bool = False,
        wait: float | None = None,
        run: t.Mapping[str, t.Any] | None = None,
        took_effect: bool | None = None,
        lock_first: bool = False,
    ) -> CallOptions:
        """These options, with more on top.

        :param databases: Instead of those so far.
        :param x: Besides those so far.
        :param tag: Instead of the one so far.
        :param autogenerate: Whether a new revision is compared for.
        :param wait: Instead of the one so far.
        :param run: Besides those so far.
        :param took_effect: Instead of what was said so far.
        :param lock_first: Whether asking what to do does something.
        :return: New options.
        :raises ConfigurationError: If ``wait`` is no time.
        """
        return CallOptions(
            databases=self.databases if databases is None else _names(databases),
            x=(*self.x, *_pairs(x)),
            tag=self.tag if tag is None else tag,
            autogenerate=autogenerate,
            wait=self.wait if wait is None else _seconds(wait),
            run={**self.run, **(run or {})},
            took_effect=self.took_effect if took_effect is None else took_effect,
            lock_first=self.lock_first or lock_first,
        )

    def as_namespace(self) -> Namespace:
        """These options, as Alembic has those of its command line."""
        from argparse import Namespace

        return Namespace(x=list(self.x), tag=self.tag, autogenerate=self.autogenerate)

    def select(self, items: t.Mapping[str, T]) -> dict[str, T]:
        """Those of all databases that are to be worked on.

        :param items: Name to anything, for all databases.
        :return: The same for the chosen ones, in the same order.
        :raises ConfigurationError: If there is no database of a chosen name.
        """
        if self.databases is None:
            return dict(items)

        for name in self.databases:
            if name not in items:
                raise _unknown(name, items)

        return {name: item for name, item in items.items() if name in self.databases}


def _names(databases: Databases) -> tuple[str, ...]:
    return (databases,) if isinstance(databases, str) else tuple(databases)


def _pairs(x: XArguments | None) -> tuple[str, ...]:
    if x is None:
        return ()

    if isinstance(x, t.Mapping):
        return tuple(f"{key}={value}" for key, value in x.items())

    return (x,) if isinstance(x, str) else tuple(x)


def _seconds(wait: float) -> float:
    is_number = isinstance(wait, (int, float)) and not isinstance(wait, bool)

    if is_number and 0 <= wait < float("inf"):
        return float(wait)

    # See settings.py: an error loads Alembic, an app that starts well does not.
    from .errors import ConfigurationError

    raise ConfigurationError(
        f"wait={wait!r} must be a number of seconds, 0 or more.", key="wait", value=wait
    )


def _unknown(name: str, known: t.Iterable[str]) -> Exception:
    # See settings.py: an error loads Alembic, an app that starts well does not.
    from .errors import ConfigurationError

    names = ", ".join(known)
    meant = nearest(name, known)
    return ConfigurationError(
        f"There is no database '{name}'.",
        hint=f"Did you mean '{meant}'?" if meant else f"There are: {names}.",
        key="databases",
        value=name,
    )
