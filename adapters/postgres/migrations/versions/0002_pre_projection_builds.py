"""The checkpoints of projections become those of builds, so that a view can be built anew beside the live one."""

from adapters.postgres.migrate import run_sql

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Begin the read side anew."""
    run_sql("0002_pre_projection_builds.sql")
