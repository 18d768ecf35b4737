"""Rounds of random faults against real databases: ``python -m chaos --help``.

A round makes a database, an app and its revisions, injures ``flask db upgrade`` while
it runs, types it again, and looks at what the database holds then.
"""
