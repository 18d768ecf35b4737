"""Names that Flask-Alembic 3 kept private and that released applications use all the
same. New code has no need of them.
"""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from alembic.config import Config
    from alembic.script import Script

    from .arguments import RevisionArgument
    from .environment import Environment
    from .scripts import RevisionIndex
    from .settings import Settings

    t_rev = RevisionArgument
else:
    # What it stands for is for type checkers; to import it would load Alembic.
    t_rev = t.Any


class Extension(t.Protocol):
    """What is asked of the extension."""

    @property
    def script_directory(self) -> RevisionIndex: ...

    def current(self) -> tuple[Script, ...]: ...


class Cache:
    """What the current app context holds, as one object to look into and to empty.

    :param environment: What holds it.
    :param read_settings: Reads the app's settings anew.
    """

    def __init__(
        self, environment: Environment, read_settings: t.Callable[[], Settings]
    ) -> None:
        self._environment = environment
        self._read_settings = read_settings

    @property
    def config(self) -> Config | None:
        """Alembic's config, if there is one yet. A set one is used; after ``None`` the
        next is made of the app's config as it is then.
        """
        return self._environment.config

    @config.setter
    def config(self, config: Config | None) -> None:
        if config is None:
            self._environment.settings = self._read_settings()

        self._environment.config = config

    @property
    def script(self) -> RevisionIndex | None:
        """The revisions, if they were read yet. The same holds for them."""
        return self._environment.script

    @script.setter
    def script(self, script: RevisionIndex | None) -> None:
        self._environment.script = script

    def clear(self) -> None:
        """Close all connections and forget everything, so that it is made anew."""
        self._environment.clear(self._read_settings())


def simplify_rev(
    extension: Extension,
    rev: t_rev,
    *,
    handle_current: bool = False,
    handle_int: bool = False,
) -> list[str]:
    """A revision argument as a list of texts.

    :param extension: The extension.
    :param rev: An id, a revision, a count of steps, or several.
    :param handle_current: Whether ``"current"`` is where the databases are.
    :param handle_int: Whether a text that is a number, and no id, is a count of steps.
    :return: Texts. A count has its sign.
    """
    from .arguments import as_strings

    if rev == "current" and handle_current:
        return [script.revision for script in extension.current()]

    texts = as_strings(rev)

    if not handle_int or len(texts) != 1 or not texts[0].isdecimal():
        return texts

    is_id = any(
        script.revision == texts[0]
        for script in extension.script_directory.walk_revisions()
    )
    return texts if is_id else [f"{int(texts[0]):+d}"]
