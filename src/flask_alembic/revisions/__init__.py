"""The revisions as their files tell, without running them and without Alembic."""
