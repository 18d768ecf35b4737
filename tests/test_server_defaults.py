"""One default in several forms, and defaults that differ."""

from __future__ import annotations

import typing as t

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from apps import Apps
from flask_alembic.server_defaults import normalize

relaxed = settings(deadline=None)

DIALECTS: t.Final = ("mariadb", "mysql", "postgresql", "sqlite")

MUTATIONS: t.Final[list[t.Callable[[str], str]]] = [
    str.swapcase,
    str.lower,
    str.strip,
    lambda text: text.replace(" ", ""),
    lambda text: text.replace("\n", " "),
    lambda text: text.replace("'", "''"),
    lambda text: text.replace("'", r"\'"),
    lambda text: text.replace("\\", r"\\"),
    lambda text: text.strip("()"),
    lambda text: text.strip("0"),
    lambda text: f"{text}::text",
    lambda text: f"({text})",
    lambda text: f"'{text}'",
    lambda text: f"{text}\\",
]

TRICKY: t.Final = [
    *("", " ", "a", " a", "A ", "0", "-1.50", "TRUE", "NULL", "now()"),
    *("'", "''", "'a'", "it's", "a''b", '"', '"a"', "`a`"),
    *("\\", "A\\", r"\\", r"\'", "'\\", r"a\'b", r"\n", r"C:\New\'x'"),
    *("(A)", "(", ")", "(1 + 2)", "a::TEXT", "'A'::text", "_utf8mb4'A'"),
    *("%", "%%", "%(a)s", "100%", ":a", "a;b", "-- A", "/* A */", "A\nb", "žA"),
]

dialects = st.sampled_from(DIALECTS)
# No NUL, which no server keeps in a default.
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
tricky_texts = st.text(st.sampled_from("aA01.-+()'\"\\%:;,| \n_ž"), max_size=12)


def quoted(text: str, dialect: str) -> str:
    """A text as it stands in SQL."""
    if dialect in {"mariadb", "mysql"}:
        text = text.replace("\\", "\\\\")

    text = text.replace("'", "''")
    return f"'{text}'"


def sql(dialect: str) -> st.SearchStrategy[str]:
    """Expressions such as defaults are made of."""
    atoms = st.one_of(
        st.sampled_from(
            ["NULL", "now()", "CURRENT_TIMESTAMP", "true", "FALSE", "gen_random_uuid()"]
        ),
        st.integers(-100, 100).map(str),
        st.decimals(-100, 100, places=2).map(str),
        tricky_texts.map(lambda text: quoted(text, dialect)),
    )
    pairs = st.sampled_from(["+", " + ", "-", " * ", "||", " || "])
    return st.recursive(
        atoms,
        lambda inner: st.one_of(
            inner.map(lambda text: f"({text})"),
            inner.map(lambda text: f" ( {text} )"),
            inner.map(lambda text: f"lower({text})"),
            inner.map(lambda text: f"{text}::character varying"),
            st.tuples(inner, pairs, inner).map("".join),
        ),
        max_leaves=5,
    )


def defaults_metadata(defaults: t.Iterable[str]) -> sa.MetaData:
    """A table with a column for each default."""
    metadata = sa.MetaData()
    columns = [
        sa.Column(f"c{number}", sa.String(30), server_default=text)
        for number, text in enumerate(defaults)
    ]
    sa.Table("texts", metadata, sa.Column("id", sa.Integer, primary_key=True), *columns)
    return metadata


@relaxed
@given(st.data(), dialects, st.booleans())
def test_normal_form_is_final(data: st.DataObject, dialect: str, is_text: bool) -> None:
    """What is in the one form already stays as it is."""
    default = data.draw(sql(dialect))
    once = normalize(default, dialect=dialect, is_text=is_text)
    assert normalize(once, dialect=dialect, is_text=is_text) == once


@relaxed
@given(
    texts | tricky_texts,
    st.sampled_from(["", "'", "\\", r"\'", "'\\"]),
    st.sampled_from(MUTATIONS),
    dialects,
)
def test_different_texts_stay_different(
    text: str, end: str, mutate: t.Callable[[str], str], dialect: str
) -> None:
    """Texts are equal only if they are the same, however little they differ."""
    different = {text + end, mutate(text) + end}
    forms = {
        normalize(quoted(item, dialect), dialect=dialect, is_text=True)
        for item in different
    }
    assert len(forms) == len(different)


@relaxed
@given(tricky_texts, dialects)
def test_text_is_no_expression(text: str, dialect: str) -> None:
    """A text that reads like SQL is another default than that SQL."""
    assert normalize(text, dialect=dialect, is_text=True) != normalize(
        quoted(text, dialect), dialect=dialect, is_text=True
    )


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    ("one", "other", "is_text"),
    [
        ("0", "'0'", False),
        ("1.50", "'1.5'", False),
        ("(1 + 2)", "1+2", False),
        ("((1 + 2))", "(1+2)", False),
        ("now()", "CURRENT_TIMESTAMP", False),
        ("current_timestamp()", "(CURRENT_TIMESTAMP)", False),
        ("TRUE", "1", False),
        ("false", "0", False),
        (" 'a' ", "'a'", True),
        ("('a')", "'a'", True),
    ],
)
def test_same_meaning(dialect: str, one: str, other: str, is_text: bool) -> None:
    """Servers write a default in words of their own."""
    assert normalize(one, dialect=dialect, is_text=is_text) == normalize(
        other, dialect=dialect, is_text=is_text
    )


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    ("one", "other", "is_text"),
    [
        ("0", "1", False),
        ("1", "-1", False),
        ("1.5", "15", False),
        ("10", "1", False),
        ("10", "100", False),
        ("'0'", "'0.0'", True),
        ("'a'", "'A'", True),
        ("'a '", "'a'", True),
        ("''", "NULL", True),
        ("'now()'", "now()", True),
        ("'TRUE'", "'true'", True),
        ("'(a)'", "'a'", True),
        ("(1) + (2)", "1) + (2", False),
    ],
)
def test_different_meaning(dialect: str, one: str, other: str, is_text: bool) -> None:
    """What means something else is not taken for the same."""
    assert normalize(one, dialect=dialect, is_text=is_text) != normalize(
        other, dialect=dialect, is_text=is_text
    )


@pytest.mark.parametrize(
    ("reported", "model"),
    [
        ("'a'::character varying", "'a'"),
        ("'2020-01-01'::date", "'2020-01-01'"),
        ("'{}'::jsonb", "'{}'"),
        ("'a::text'::text", "'a::text'"),
        ("'-1'::integer", "'-1'"),
        ("('a'::text || 'b'::text)", "'a' || 'b'"),
        ("'{}'::integer[]", "'{}'"),
    ],
)
def test_postgresql_casts(reported: str, model: str) -> None:
    """PostgreSQL tells the type with each value."""
    assert normalize(reported, dialect="postgresql", is_text=True) == normalize(
        model, dialect="postgresql", is_text=True
    )


@pytest.mark.parametrize(
    ("reported", "model"),
    [
        ("_utf8mb4'a'", "'a'"),
        (r"'it\'s'", "'it''s'"),
        (r"'\\\''", r"'\\'''"),
        ("current_timestamp()", "CURRENT_TIMESTAMP"),
    ],
)
def test_mariadb_quotes(reported: str, model: str) -> None:
    """MySQL and MariaDB escape quotes by a backslash, and name the character set."""
    assert normalize(reported, dialect="mysql", is_text=True) == normalize(
        model, dialect="mysql", is_text=True
    )


def test_texts_on_servers(url: str, apps: Apps) -> None:
    """A default that a server keeps is the one in the model, whatever its text."""
    metadata = defaults_metadata(TRICKY)
    metadata.create_all(apps.engine(url))
    app, alembic = apps.plain(url, metadata)

    with app.app_context():
        differences = alembic.compare_metadata()

    assert [TRICKY[int(diff[0][3][1:])] for diff in differences] == []


@pytest.mark.parametrize("end", ["", "x", "\\", "'"])
def test_changed_texts_on_servers(url: str, apps: Apps, end: str) -> None:
    """Another case is another default, and so is another end."""
    kept = [f"{text}a{end}" for text in TRICKY]
    defaults_metadata(kept).create_all(apps.engine(url))
    app, alembic = apps.plain(url, defaults_metadata(text.swapcase() for text in kept))

    with app.app_context():
        differences = alembic.compare_metadata()

    found = {kept[int(diff[0][3][1:])] for diff in differences}
    assert found == set(kept)
