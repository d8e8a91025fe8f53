"""Which instruments are partnerships whose sale is taxed at the source."""

from pathlib import Path

from alembic import op

revision = "0037"
down_revision = "0030"


def upgrade() -> None:
    script = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    op.get_bind().exec_driver_sql(script.replace("%", "%%"))
