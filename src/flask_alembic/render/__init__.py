"""Reports become text. One module a format; nothing is printed here."""
