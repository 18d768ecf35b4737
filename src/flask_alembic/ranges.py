"""Ranges like ``a:b``: where a script starts and where it leads. Pure."""

from __future__ import annotations

import typing as t

from .errors import TargetError


class Names(t.Protocol):
    """What has to be known of the revisions."""

    @property
    def ids(self) -> t.Collection[str]:
        """All ids."""

    @property
    def labels(self) -> t.Collection[str]:
        """All branch labels."""


def split_range(
    texts: t.Sequence[str], names: Names, *, command: str
) -> tuple[list[str], list[str]]:
    """Split a range into its two sides.

    :param texts: Such as ``a:b``, ``a1,a2:heads``, ``a:``, ``:b``; or without a start,
        which is base then.
    :param names: The ids and labels of the revisions.
    :param command: ``upgrade``, ``downgrade`` or ``stamp``.
    :return: The texts on either side.
    :raises TargetError: If a side is missing that has no default, or there are three.
    """
    whole = ",".join(texts)
    start, colon, end = "", "", whole

    if any(is_range(text, names) for text in texts):
        start, colon, end = whole.partition(":")

    if ":" in end and is_range(end, names):
        raise TargetError(
            f"'{whole}' has more than one colon.",
            target=whole,
            hint=f"Name a start and an end: 'flask db {command} --sql a:b'.",
        )

    if command == "downgrade" and not (_items(start) and _items(end)):
        raise _one_sided(whole, start if colon else "", end)

    return _items(start) or ["base"], _items(end) or ["heads"]


def no_range(text: str, names: Names, *, command: str) -> str:
    """Check that an argument is no range, where the database knows the start.

    :param text: One argument.
    :param names: The ids and labels of the revisions.
    :param command: The command that it was given to.
    :return: The same argument.
    :raises TargetError: If it is a range.
    """
    if not is_range(text, names):
        return text

    end = text.rpartition(":")[2] or "heads"
    raise TargetError(
        f"'{text}' is a range, but where to start is what the database says.",
        target=text,
        hint=f"Run 'flask db {command} {end}', or add --sql to write a script.",
    )


def is_range(text: str, names: Names) -> bool:
    """Whether an argument is a range.

    :param text: One argument.
    :param names: The ids and labels of the revisions.
    :return: ``True`` if it is.
    """
    return ":" in text and text not in names.ids and text not in names.labels


def _items(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]


def _one_sided(whole: str, start: str, end: str) -> TargetError:
    if start.strip():
        what, example = "where it leads down to", f"{start}:base"
    else:
        what, example = "where it starts", f"heads:{end.strip() or 'base'}"

    return TargetError(
        f"A script for a downgrade has to be told {what}: '{whole}' does not say.",
        target=whole,
        hint=f"Name both sides, such as 'flask db downgrade --sql {example}'.",
    )
