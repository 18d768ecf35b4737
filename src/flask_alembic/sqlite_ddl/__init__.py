"""SQLite's ``CREATE`` statements as texts: read, changed, and written. Pure."""
