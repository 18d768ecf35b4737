"""The ``flask db`` commands. A handler reads options, calls the extension and prints;
it can do nothing that Python code can't.

``cli`` and the commands can be imported from here, for a group of an app's own. Each
is loaded when it is asked for.
"""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from .folder import init as init
    from .folder import list_templates as list_templates
    from .folder import mkdir as mkdir
    from .group import shared as cli
    from .read import branches as branches
    from .read import check as check
    from .read import current as current
    from .read import heads as heads
    from .read import history as history
    from .read import log as log
    from .read import show as show
    from .run import downgrade as downgrade
    from .run import ensure_version as ensure_version
    from .run import stamp as stamp
    from .run import upgrade as upgrade
    from .write import edit as edit
    from .write import merge as merge
    from .write import migrate as migrate
    from .write import revision as revision

__all__ = [
    "branches",
    "check",
    "cli",
    "current",
    "downgrade",
    "edit",
    "ensure_version",
    "heads",
    "history",
    "init",
    "list_templates",
    "log",
    "merge",
    "migrate",
    "mkdir",
    "revision",
    "show",
    "stamp",
    "upgrade",
]


def __getattr__(name: str) -> t.Any:
    # "from . import group" would ask this function for it.
    from .group import load
    from .group import shared

    if name == "cli":
        return shared

    if (command := load(name.replace("_", "-"))) is not None:
        return command

    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
