"""Snapshots: the schema of a database at its head as a file, written and loaded."""
