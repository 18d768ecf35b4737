"""What a file is called in a message. Pure."""

from __future__ import annotations

import os
from pathlib import Path


def display(path: str | os.PathLike[str], script_location: str) -> str:
    """A path as a message shows it: from the migrations folder on.

    :param path: A file.
    :param script_location: The migrations folder.
    :return: Such as ``migrations/1700000000_add_email.py``.
    """
    path = Path(path)

    try:
        return str(path.relative_to(Path(script_location).parent))
    except ValueError:
        return str(path)
