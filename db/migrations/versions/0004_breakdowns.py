"""What rows add up to by URL, kind of error and outcome: five minutes, an hour and a day in a row."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from db.migrations.options import table_options

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "scraper_breakdowns",
        sa.Column("dimension", sa.String(10), primary_key=True),
        sa.Column("length_ms", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("start_ms", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("row_count", sa.BigInteger(), nullable=False),
        sa.Column("packed", sa.LargeBinary().with_variant(mysql.LONGBLOB(), "mysql", "mariadb"), nullable=False),
        if_not_exists=True,
        **table_options(op.get_bind()),
    )


def downgrade() -> None:
    op.drop_table("scraper_breakdowns")
