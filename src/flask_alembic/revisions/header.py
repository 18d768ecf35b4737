"""What stands at the top of a revision file, read without running it. Pure.

The usual header is recognised by its text. What is written otherwise is left to
``syntax.py``.
"""

from __future__ import annotations

import re
import typing as t

if t.TYPE_CHECKING:
    from types import ModuleType

Ids = str | tuple[str, ...] | list[str] | None
"""How a file may write one id, several, or none."""

NAMES: t.Final = ("revision", "down_revision", "branch_labels", "depends_on")


class Header(t.NamedTuple):
    """What a file says of its revision."""

    revision: str
    down_revision: Ids
    branch_labels: Ids
    depends_on: Ids
    docstring: str | None
    module: ModuleType | None = None
    """What came of running the file, where only that could tell."""


# Possessive throughout: a line is of one kind only, and there is nothing to go back to.
_END: t.Final = r"[ \t]*+(?:\#[^\n]*+)?+\n"
_IS: t.Final = r"(?:[ ]*+:[^=\#\n]*+)?+[ ]*+=[ ]*+"
_STRING: t.Final = r"""(?:'[^'\\\n]*+'|"[^"\\\n]*+")"""
_TUPLE: t.Final = rf"\((?:\s*+{_STRING}\s*+,)++(?:\s*+{_STRING})?+\s*+\)"
_VALUE: t.Final = rf"(?:None|{_STRING}|{_TUPLE})"

# One line after another, of the kinds that can't surprise. Each group keeps its last
# match, as the last assignment counts in Python.
_USUAL: t.Final = re.compile(
    rf'''
    (?:"""(?P<docstring>[^"\\]*+)"""{_END})?+
    (?P<imports>
        (?:(?!\#\ revision){_END} | (?:from\ [\w.]++\ )?+import\ [\w., ]++{_END})*+
    )
    (?:
        {_END}
        | revision{_IS}(?P<revision>{_STRING}){_END}
        | down_revision{_IS}(?P<down_revision>{_VALUE}){_END}
        | branch_labels{_IS}(?P<branch_labels>{_VALUE}){_END}
        | depends_on{_IS}(?P<depends_on>{_VALUE}){_END}
    )*+
    ''',
    re.VERBOSE,
)

# How the templates for several databases call a function by its name.
_CALL_BY_NAME: t.Final = re.compile(
    r"""globals\(\)\[f?(["'])(?:up|down)grade_[\w{}%]*+\1(?:[ ]%[ ]\w+)?\]\("""
)


def read_usual(content: bytes) -> Header | None:
    """Read a header that is written as templates write it.

    :param content: All that is in the file.
    :return: What running the file would define; ``None`` if the header is an unusual
        one, or something below may change what it says.
    """
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return None

    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")

    found = _USUAL.match(text)

    if found is None or _may_bind(found["imports"]) or _may_bind(text[found.end() :]):
        return None

    docstring, _, revision, down_revision, labels, depends_on = found.groups()

    if revision is None or down_revision is None:
        return None

    return Header(
        revision[1:-1],
        _value(down_revision),
        _value(labels),
        _value(depends_on),
        docstring,
    )


def _value(text: str | None) -> Ids:
    """Without a backslash a string is what stands between its quotes."""
    if text is None or text == "None":
        return None

    if text[0] != "(":
        return text[1:-1]

    return tuple(item[1:-1] for item in re.findall(_STRING, text))


def _may_bind(text: str) -> bool:
    """Whether a part of a file may set one of the names: by writing it, or in a way
    that does not show it. Spelled out, because this is asked of each file.
    """
    if "globals()" in text:
        text = _CALL_BY_NAME.sub("", text)

    return (
        "revision" in text
        or "branch_labels" in text
        or "depends_on" in text
        or "__" in text
        or "globals(" in text
        or "locals(" in text
        or "vars(" in text
        or "exec(" in text
        or "eval(" in text
        or "setattr(" in text
        or "modules" in text
        or "f_globals" in text
        or "import *" in text
        or "coding" in text
    )
