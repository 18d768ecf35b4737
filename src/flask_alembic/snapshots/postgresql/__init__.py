"""The schema of a PostgreSQL database, from its catalogs: the server has no statement
that shows it, and ``pg_dump`` is not on every machine, nor the same on two.
"""
