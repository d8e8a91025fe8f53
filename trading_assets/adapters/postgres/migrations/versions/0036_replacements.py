"""Orders that take the place of others at a broker."""

from pathlib import Path

from alembic import op

revision = "0036"
down_revision = "0033"


def upgrade() -> None:
    script = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    op.get_bind().exec_driver_sql(script.replace("%", "%%"))
