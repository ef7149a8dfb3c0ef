"""Which fields the items of a scrape had: with each scrape, and added up for five minutes, an hour and a day."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_TABLE = "scraper_page_performance"
# What no group at all is kept as: nobody told of fields before.
_NOTHING = "0100000000000200000009000000090000005b5d28b52ffd200001000028b52ffd2000010000"


def upgrade() -> None:
    # Only what is missing: MySQL commits every DDL statement, and a run that was killed is simply run again.
    if "fields" not in {column["name"] for column in sa.inspect(op.get_bind()).get_columns(_TABLE)}:
        op.add_column(_TABLE, sa.Column("fields", sa.Text()))
    # Without these, every span would have to be counted anew from its detail rows.
    op.execute("DELETE FROM scraper_breakdowns WHERE dimension = 'field'")
    op.execute(
        "INSERT INTO scraper_breakdowns (dimension, length_ms, start_ms, row_count, packed) "
        f"SELECT 'field', length_ms, start_ms, row_count, X'{_NOTHING}' FROM scraper_breakdowns "
        "WHERE dimension = 'outcome'"
    )


def downgrade() -> None:
    op.execute("DELETE FROM scraper_breakdowns WHERE dimension = 'field'")
    op.drop_column(_TABLE, "fields")
