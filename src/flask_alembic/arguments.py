"""Revision arguments as users write them become what Alembic expects. Pure."""

from __future__ import annotations

import difflib
import re
import typing as t

from .errors import MultipleHeadsError
from .errors import TargetError
from .errors import UnknownRevisionError

if t.TYPE_CHECKING:
    from alembic.script import Script

RevisionArgument = t.Union[
    int,
    str,
    "Script",
    "t.Sequence[str]",
    "t.Sequence[Script]",
    "t.Sequence[str | Script]",
]

_SYMBOLS: t.Final = frozenset({"base", "head", "heads", ""})
_ALWAYS_ONE: t.Final = frozenset({"base", "heads"})  # whatever the revisions are
_RELATIVE: t.Final = re.compile(r"(?P<start>.*?)(?P<count>[+-]\d+)")
_ALEMBIC_MINIMUM: t.Final = 4  # characters of a part of an id, as Alembic takes it


class History(t.Protocol):
    """What has to be known of the revisions."""

    @property
    def ids(self) -> t.Sequence[str]:
        """All ids."""

    @property
    def labels(self) -> t.Collection[str]:
        """All branch labels."""

    def get_heads(self) -> t.Sequence[str]:
        """The ids of the heads."""


def as_strings(argument: RevisionArgument) -> list[str]:
    """Bring an argument to its one form.

    :param argument: A text, a revision, a count of steps, or several of them.
    :return: Texts. A count has its sign.
    """
    if isinstance(argument, bool):
        raise TargetError(f"{argument!r} is no revision.", target=str(argument))

    if isinstance(argument, int):
        return [f"{argument:+d}"]

    if isinstance(argument, str):
        return [argument.strip()]

    if hasattr(argument, "revision"):
        return [argument.revision]

    if not isinstance(argument, t.Iterable):
        raise TargetError(
            f"{argument!r} is no revision.",
            target=str(argument),
            hint="Pass an id, a Script, a number of steps, or a list of ids.",
        )

    return [text for item in argument for text in as_strings(item)]


def resolve(text: str, history: History, *, sign: str = "") -> str:
    """Check one argument against the revisions, and complete a part of an id.

    A number is the id that is written so, else a count of steps where ``sign`` is
    given, and only else a part of an id.

    :param text: Such as ``head``, ``a1b2``, ``users@head``, ``+1``, ``2``.
    :param history: The revisions.
    :param sign: ``+`` if a bare number counts up, ``-`` if it counts down.
    :return: What Alembic takes.
    :raises UnknownRevisionError: If no revision, or more than one, is called so.
    :raises MultipleHeadsError: If ``head`` could be any of several.
    """
    # No revision is called so, and to know all of them takes long.
    if text in _ALWAYS_ONE:
        return text

    if text in history.ids or text in history.labels:
        return text

    if not text:
        raise _unknown(text, history)

    if sign and text.isdecimal() and int(text) <= len(history.ids):
        return f"{sign}{int(text)}"

    if match := _RELATIVE.fullmatch(text):
        return _prefix(match["start"], history, text) + match["count"]

    if sign and text.isdecimal() and not _matches(text, history):
        return f"{sign}{int(text)}"

    return _prefix(text, history, text)


def number_as_id(text: str, history: History, *, sign: str) -> str | None:
    """The id that a number is the beginning of, where it counts no steps.

    :param text: One argument.
    :param history: The revisions.
    :param sign: ``+`` if a bare number counts up, ``-`` if it counts down.
    :return: The id, or ``None`` if the argument is something else.
    :raises TargetError: If :func:`resolve` raises it.
    """
    text = text.strip()

    if not text.isdecimal():
        return None

    found = resolve(text, history, sign=sign)
    return found if found not in (text, f"{sign}{int(text)}") else None


def beyond(text: str, *, up: bool, error: Exception) -> TargetError:
    """The error for an argument that Alembic can't follow.

    :param text: The argument, as the user wrote it.
    :param up: Whether it was to go up.
    :param error: What Alembic raised.
    :return: The error to raise.
    """
    heads = getattr(error.__cause__, "heads", None)

    if heads is not None:
        return _several_heads(text, sorted(heads))

    reason = str(error)

    if "Can't locate revision" in reason:
        return UnknownRevisionError(
            f"There is no revision '{text}'.",
            target=text,
            hint="Run 'flask db log' to see all revisions.",
        )

    if "Ambiguous walk" in reason:
        way = "up" if up else "down"
        return TargetError(
            f"'{text}' does not say which branch to go {way}.",
            target=text,
            hint="Name a revision, or take 'heads' for all: 'flask db log' shows them."
            if up
            else "Name a revision: 'flask db log' shows them.",
        )

    if "didn't produce" in reason or "Walked too far" in reason:
        return too_far(text, up=up)

    return TargetError(f"{reason.rstrip('.')}.", target=text)


def too_far(text: str, *, up: bool) -> TargetError:
    """The error for a count of steps that is too great.

    :param text: The argument, as the user wrote it.
    :param up: Whether it was to go up.
    :return: The error to raise.
    """
    return TargetError(
        f"'{text}' goes beyond the {'head' if up else 'base'}: there are not so many"
        " revisions.",
        target=text,
        hint="Run 'flask db current' and 'flask db log' to see where it stands.",
    )


def _prefix(text: str, history: History, whole: str) -> str:
    """Check what stands before a count: nothing, a symbol, an id, label@ of those."""
    branch, at, symbol = text.rpartition("@")

    if at:
        _check_branch(branch, history, whole)
    elif symbol == "head":
        _check_one_head(history, whole)

    if symbol in _SYMBOLS or symbol in history.labels:
        return text

    return f"{branch}{at}{_one_id(symbol, history, whole)}"


def _check_branch(branch: str, history: History, whole: str) -> None:
    if branch not in history.labels and branch not in history.ids:
        labels = ", ".join(sorted(history.labels)) or "none"
        raise UnknownRevisionError(
            f"There is no branch '{branch}'.",
            target=whole,
            candidates=sorted(history.labels),
            hint=f"Branch labels: {labels}.",
        )


def _check_one_head(history: History, whole: str) -> None:
    if len(heads := sorted(history.get_heads())) > 1:
        raise _several_heads(whole, heads)


def _several_heads(text: str, heads: list[str]) -> MultipleHeadsError:
    return MultipleHeadsError(
        f"'{text}' could be any of {len(heads)} heads: {', '.join(heads)}.",
        target=text,
        heads=heads,
        hint="Name one, take 'heads' for all, or join them: flask db merge.",
    )


def _matches(text: str, history: History) -> list[str]:
    if len(text) < _ALEMBIC_MINIMUM:
        return []

    return sorted(id_ for id_ in history.ids if id_.startswith(text))


def _one_id(text: str, history: History, whole: str) -> str:
    if text in history.ids:
        return text

    found = _matches(text, history)

    if len(found) == 1:
        return found[0]

    if found:
        raise UnknownRevisionError(
            f"'{whole}' could be any of {len(found)} revisions.",
            target=whole,
            candidates=found,
            hint=f"They are {', '.join(found[:5])}{', …' if len(found) > 5 else ''}.",
        )

    raise _unknown(whole, history, text)


def _unknown(whole: str, history: History, text: str = "") -> UnknownRevisionError:
    near = difflib.get_close_matches(text, [*history.ids, *history.labels], n=3)
    return UnknownRevisionError(
        f"There is no revision '{whole}'.",
        target=whole,
        candidates=near,
        hint=f"Did you mean {' or '.join(near)}?"
        if near
        else "Run 'flask db log' to see all revisions.",
    )
