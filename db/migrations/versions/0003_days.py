"""Detail by day: partitions on MySQL/MariaDB, so that an old day goes in one step. SQLite stays as it is."""

from __future__ import annotations

from alembic import op

from db.clock import now_ms
from db.engine import make_engine
from db.partitions import partition

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    engine = op.get_bind().engine
    if engine.dialect.name != "sqlite":
        # All rows are written anew, which may take many minutes: a connection of its own may be silent for so long.
        patient = make_engine(url=engine.url.render_as_string(hide_password=False), io_timeout_s=24 * 3600, pool_size=1)
        try:
            partition(patient, now_ms())
        finally:
            patient.dispose()


def downgrade() -> None:
    if op.get_bind().dialect.name != "sqlite":
        op.execute("ALTER TABLE scraper_page_performance REMOVE PARTITIONING")
        op.execute(
            "ALTER TABLE scraper_page_performance DROP PRIMARY KEY, ADD PRIMARY KEY (id), "
            "DROP INDEX ix_page_created, ADD INDEX ix_page_created (created_at), "
            "DROP INDEX ix_page_source_created, ADD INDEX ix_page_source_created (scraper_source, created_at)"
        )
