"""URLs in any text, without their passwords. Whose they are need not be known."""

from __future__ import annotations

import re
import typing as t

# The password ends at the last "@", as one in it may not be quoted.
_PASSWORD: t.Final = re.compile(r"(\b[\w+.-]+://[^\s:/@]*:)\S+@")


def without_passwords(text: str) -> str:
    """Hide the passwords of the URLs in a text.

    :param text: Any text.
    :return: The text, with ``***`` in their place.
    """
    return _PASSWORD.sub(r"\1***@", text)
