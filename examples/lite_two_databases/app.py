"""Two databases of Flask-SQLAlchemy-Lite, each with models and metadata of its own."""

from pathlib import Path

from flask import Flask
from flask_sqlalchemy_lite import SQLAlchemy
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column

from flask_alembic import Alembic


class Model(DeclarativeBase):
    """What the application is about."""


class AuthModel(DeclarativeBase):
    """Who may use it; in a database that other applications share."""


class Post(Model):
    __tablename__ = "post"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    # No foreign key: the account lies in the other database.
    author_id: Mapped[int]


class Account(AuthModel):
    __tablename__ = "account"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(unique=True)


db = SQLAlchemy()
alembic = Alembic(
    metadatas={"default": Model.metadata, "auth": AuthModel.metadata},
)


def create_app() -> Flask:
    app = Flask(__name__, instance_relative_config=True)
    # Flask-SQLAlchemy-Lite looks for the files in the instance folder.
    app.config["SQLALCHEMY_ENGINES"] = {
        "default": "sqlite:///blog.sqlite",
        "auth": "sqlite:///auth.sqlite",
    }
    Path(app.instance_path).mkdir(parents=True, exist_ok=True)
    db.init_app(app)
    alembic.init_app(app)
    return app
