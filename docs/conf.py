"""Configuration of Sphinx. The build reads nothing from the network."""

import logging
import sys
from importlib.metadata import version as installed_version
from pathlib import Path

# The reference of the commands imports flask_db.py, which lies next to this file.
sys.path.insert(0, str(Path(__file__).parent))

# A dependency of the theme lets every logger print, and Alembic tells what it loads.
logging.getLogger("alembic").setLevel(logging.WARNING)

project = "Flask-Alembic"
author = "The Flask-Alembic authors"
copyright = f"2026 {author}"
release = installed_version("Flask-Alembic")
version = ".".join(release.split(".")[:2])

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx_click",
]

source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
# A word in single backquotes that names nothing is a mistake, not emphasis.
default_role = "py:obj"

myst_enable_extensions = ["colon_fence", "deflist", "fieldlist"]
# Headings can be linked to from other pages, as in `databases.md#two-databases`.
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"

html_theme = "furo"
html_title = f"{project} {release}"
html_copy_source = False
html_show_sourcelink = False
