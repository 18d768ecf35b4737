"""Texts without secrets: what an engine's URL holds that nobody is to see."""

from __future__ import annotations

import re
import typing as t
from urllib.parse import quote
from urllib.parse import quote_plus

import sqlalchemy as sa

from .errors import without_passwords

# Parameters of a URL, as the drivers call them.
_SECRET: t.Final = re.compile(r"passw|passphrase|pwd|secret|token|odbc_connect", re.I)

# What PostgreSQL's library quotes of a connection string that it can't read.
_CONNINFO: t.Final = re.compile(
    r"(\b(?:after|token:|parameter:|value:|found in) )\"[^\"]*\""
    r"|(\bhost [\"'])[^\"'\s]+@"
)

# A shorter part of a password is found in any text.
_SHORTEST: t.Final = 3


def safe_url(engine: sa.Engine) -> str:
    """The URL of an engine, as it can be shown.

    :param engine: Any engine.
    :return: Its URL, without what is secret.
    """
    return shown_url(engine.url)


def shown_url(url: sa.URL) -> str:
    """A URL, as it can be shown.

    :param url: Any URL.
    :return: The same, without what is secret.
    """
    shown = url

    if _misread(url):
        # Which parts of it are true is anybody's guess.
        shown = sa.URL.create(url.drivername, url.username, "***")

    return redact_url(shown.render_as_string(hide_password=True), url)


def redact(text: str, engine: sa.Engine) -> str:
    """Take what is secret out of a text.

    :param text: Such as a driver's message.
    :param engine: The engine whose password it may hold.
    :return: The text, with ``***`` in its place.
    """
    return redact_url(text, engine.url)


def redact_url(text: str, url: sa.URL) -> str:
    """Take what is secret in a URL out of a text.

    :param text: Such as a driver's message.
    :param url: The URL whose password it may hold.
    :return: The text, with ``***`` in its place.
    """
    for secret in sorted(_secrets(url), key=len, reverse=True):
        text = text.replace(secret, "***")

    return without_passwords(text)


def redact_connecting(text: str, engine: sa.Engine) -> str:
    """Take what is secret out of what a driver says of how it was to connect: an engine
    with a ``creator`` has passwords that its URL does not have.

    :param text: The driver's message.
    :param engine: The engine.
    :return: The text, with ``***`` in its place.
    """
    return redact(_CONNINFO.sub(_hide_quoted, text), engine)


def _hide_quoted(match: re.Match[str]) -> str:
    return f'{match[1]}"***"' if match[1] else f"{match[2]}***@"


def _secrets(url: sa.URL) -> set[str]:
    found = [str(url.password or "")]
    found += [part for part in _misread(url) if len(part) >= _SHORTEST]
    found += [
        item
        for key, value in url.query.items()
        if _SECRET.search(key)
        for item in ([value] if isinstance(value, str) else value)
    ]
    written = {form for item in found for form in _written(item)}
    # What is in the open anyway is no secret: "postgres" may be user and password.
    return written - {"", url.username, url.database}


def _misread(url: sa.URL) -> list[str]:
    """The parts of a password with a bare "@" in it: for SQLAlchemy it ends there, and
    what follows is taken for the host, and on to where the true host comes.
    """
    query = [text for item in url.query.items() for text in item if _is_text(text)]
    parts = [url.host or "", url.database or "", *map(str, query)]

    if url.password is None:
        parts = parts[:1]

    at = max((n for n, part in enumerate(parts) if "@" in part), default=None)
    return [] if at is None else [*parts[:at], parts[at].rpartition("@")[0]]


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _written(secret: str) -> t.Iterator[str]:
    """The ways in which a text may stand in another: as it is, in a URL, in Python, in
    SQL, and in a statement for a driver that reads "%" as the mark of a parameter.
    """
    encoded = {quote(secret, safe=""), quote_plus(secret), quote(secret)}
    escaped = secret.encode("unicode_escape").decode("ascii")

    for form in {secret, *encoded, repr(secret)[1:-1], escaped}:
        yield form
        yield form.replace("'", "''")
        yield form.replace("'", "\\'")
        yield form.replace('"', '\\"')
        yield form.replace("\\", "\\\\")
        yield form.replace("%", "%%")
