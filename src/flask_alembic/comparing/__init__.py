"""Comparing models to a database: what is read, and which tables Alembic compares.

``passes`` is the way in. ``defaults`` is where a migration context compares defaults.
"""
