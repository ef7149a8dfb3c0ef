"""The schema's history: Alembic migrations, the same on SQLite and MySQL/MariaDB."""
