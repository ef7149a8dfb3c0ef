"""Alembic's entry: run the migrations on the connection that `db.migrate` hands over."""

from alembic import context

from db.models import Base

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    # SQLite rolls back DDL too, when it is inside a transaction: a migration that fails there leaves nothing behind.
    transactional_ddl=connection.dialect.name == "sqlite",
)
with context.begin_transaction():
    context.run_migrations()
