"""The verbs. Each is a module, loaded when it is first used, because most load
Alembic.
"""

from __future__ import annotations

import importlib
import typing as t

if t.TYPE_CHECKING:
    from . import adopt as adopt
    from . import applied as applied
    from . import compare as compare
    from . import ensure_version as ensure_version
    from . import merge as merge
    from . import offline as offline
    from . import prepare as prepare
    from . import read as read
    from . import repair as repair
    from . import resume as resume
    from . import revision as revision
    from . import scratch_runs as scratch_runs
    from . import settled as settled
    from . import snapshot as snapshot
    from . import stamp as stamp
    from . import upgrade as upgrade

_VERBS: t.Final = frozenset(
    {
        "adopt",
        "applied",
        "compare",
        "ensure_version",
        "merge",
        "offline",
        "prepare",
        "read",
        "repair",
        "scratch_runs",
        "resume",
        "revision",
        "settled",
        "snapshot",
        "stamp",
        "upgrade",
    }
)


def __getattr__(name: str) -> t.Any:
    if name in _VERBS:
        return importlib.import_module(f"{__name__}.{name}")

    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
