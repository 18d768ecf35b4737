"""One database, declared by Flask-SQLAlchemy: Flask-Alembic finds it by itself."""

from pathlib import Path

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column

from flask_alembic import Alembic


class Model(DeclarativeBase):
    pass


db = SQLAlchemy(model_class=Model)
alembic = Alembic()


class Todo(Model):
    __tablename__ = "todo"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]


def create_app() -> Flask:
    app = Flask(__name__, instance_relative_config=True)
    # Flask-SQLAlchemy looks for the file in the instance folder.
    app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite:///todo.sqlite"
    Path(app.instance_path).mkdir(parents=True, exist_ok=True)
    db.init_app(app)
    alembic.init_app(app)
    return app
