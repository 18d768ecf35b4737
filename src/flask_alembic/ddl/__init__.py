"""What a statement leaves behind in a schema, by its text; pure."""
