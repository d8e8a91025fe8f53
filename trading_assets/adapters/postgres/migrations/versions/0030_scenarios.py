"""What other limits would have made of recorded sessions."""

from pathlib import Path

from alembic import op

revision = "0030"
down_revision = "0034"


def upgrade() -> None:
    script = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    op.get_bind().exec_driver_sql(script.replace("%", "%%"))
