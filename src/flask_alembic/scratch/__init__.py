"""Throw-away databases: the history is replayed there, and a snapshot is tried."""

from .choice import scratch_connection as scratch_connection
