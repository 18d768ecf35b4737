"""Texts without secrets: what an engine's URL holds that nobody is to see."""

from __future__ import annotations

import typing as t
from urllib.parse import quote
from urllib.parse import quote_plus

import sqlalchemy as sa


def safe_url(engine: sa.Engine) -> str:
    """The URL of an engine, as it can be shown.

    :param engine: Any engine.
    :return: Its URL, without what is secret.
    """
    return redact(engine.url.render_as_string(hide_password=True), engine)


def redact(text: str, engine: sa.Engine) -> str:
    """Take what is secret out of a text.

    :param text: Such as a driver's message.
    :param engine: The engine whose password it may hold.
    :return: The text, with ``***`` in its place.
    """
    for secret in sorted(_secrets(engine.url), key=len, reverse=True):
        text = text.replace(secret, "***")

    return text


def _secrets(url: sa.URL) -> set[str]:
    found = [str(url.password or "")]
    # A password with a bare "@" in it is read as a part of the host.
    found += [(url.host or "").rpartition("@")[0]]
    found += [
        item
        for key, value in url.query.items()
        if "passw" in key.lower()
        for item in ([value] if isinstance(value, str) else value)
    ]
    written = {form for item in found for form in _written(item)}
    # What is in the open anyway is no secret: "postgres" may be user and password.
    return written - {"", url.username, url.database}


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
