"""The errors for files that don't form a history."""

from __future__ import annotations

import os
import typing as t

from ..errors import FlaskAlembicError
from ..errors import HistoryError
from ..errors import RevisionFileError
from .paths import display


def no_folder(path: str) -> FlaskAlembicError:
    """The error for a script location that is not there.

    :param path: The script location.
    :return: The error to raise.
    """
    problem = "is not a folder" if os.path.exists(path) else "does not exist"
    return FlaskAlembicError(
        f"The script location {path} {problem}.",
        hint="Run 'flask db mkdir', or set ALEMBIC['script_location'].",
    )


def broken_link(path: str, name: str) -> RevisionFileError:
    """The error for a link that leads nowhere.

    :param path: The link.
    :param name: How to call it.
    :return: The error to raise.
    """
    return RevisionFileError(
        f"{name} is a link to a file that does not exist.",
        path=path,
        hint="Delete the link, or restore the file.",
    )


def two_files(id_: str, paths: t.Iterable[str], folder: str) -> HistoryError:
    """The error for an id that is there twice.

    :param id_: The id.
    :param paths: The two files.
    :param folder: The script location.
    :return: The error to raise.
    """
    names = " and ".join(display(path, folder) for path in paths)
    return HistoryError(
        f"Two files have the id '{id_}': {names}.",
        hint="Give the newer one another id, or delete it if it is a copy.",
    )


def two_labels(label: str, ids: t.Iterable[str]) -> HistoryError:
    """The error for a label of two branches.

    :param label: The label.
    :param ids: The two revisions that have it, or the one whose id it is as well.
    :return: The error to raise.
    """
    return HistoryError(
        f"The branch label '{label}' is used twice: by {' and '.join(ids)}.",
        hint="Take it out of the branch_labels of one of them.",
    )


def names_itself(id_: str, name: str, *, depends: bool) -> HistoryError:
    """The error for a revision that comes before itself.

    :param id_: Its id.
    :param name: How to call its file.
    :param depends: Whether it depends on itself, or else revises itself.
    :return: The error to raise.
    """
    if depends:
        return HistoryError(
            f"{name}: '{id_}' depends on itself.", hint="Take it out of its depends_on."
        )

    return HistoryError(
        f"{name}: '{id_}' revises itself.",
        hint="Set its down_revision to what it was made on.",
    )


def missing(id_: str, other: str, name: str, *, depends: bool) -> HistoryError:
    """The error for a revision that is made on one that is not there.

    :param id_: Its id.
    :param other: The id that no file has.
    :param name: How to call its file.
    :param depends: Whether it depends on the other, or else revises it.
    :return: The error to raise.
    """
    verb = "depends on" if depends else "revises"
    return HistoryError(
        f"{name}: '{id_}' {verb} '{other}', which does not exist.",
        hint="Restore the file of that revision, or mend the id.",
    )


def in_circle(ids: t.Iterable[str], *, depends: bool) -> HistoryError:
    """The error for revisions that come before each other.

    :param ids: Their ids.
    :param depends: Whether dependencies are needed to close the circle.
    :return: The error to raise.
    """
    if depends:
        return HistoryError(
            f"The revisions depend on each other in a circle: {', '.join(ids)}.",
            hint="Take one of them out of the other's depends_on.",
        )

    return HistoryError(
        f"The revisions revise each other in a circle: {', '.join(ids)}.",
        hint="Set the down_revision of one of them to what it was made on.",
    )
