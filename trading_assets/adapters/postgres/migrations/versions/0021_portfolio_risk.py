"""Portfolio risk: exposure, value at risk and stress of an account, and the alerts they raise."""

from pathlib import Path

from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    script = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    op.get_bind().exec_driver_sql(script.replace("%", "%%"))
