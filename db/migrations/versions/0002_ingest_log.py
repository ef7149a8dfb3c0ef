"""The log of what each transaction stored, by which other processes notice new rows."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from db.migrations.options import table_options

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "ingest_log",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("writer", sa.BigInteger(), nullable=False),
        sa.Column("of_runs", sa.Boolean(), nullable=False),
        sa.Column("first_id", sa.BigInteger(), nullable=False),
        sa.Column("row_count", sa.Integer(), nullable=False),
        sa.Column("id_step", sa.SmallInteger(), nullable=False),
        if_not_exists=True,
        **table_options(op.get_bind()),
    )


def downgrade() -> None:
    op.drop_table("ingest_log")
