"""Programs that measure one thing, each in a process of its own in the environment of a
tool. They know nothing of the tool but what Flask-Alembic 3.3 and this package share.
"""
