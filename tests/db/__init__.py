"""Tests of the database package, each on SQLite and on MariaDB."""
