"""Servers that come with the Python packages: PostgreSQL and Valkey, run from one state folder.

Every process that names the same folder gets the same server. Settings are passed in: the environment is not read here.
"""

from trading_assets.adapters.embedded.postgres import EmbeddedPostgres
from trading_assets.adapters.embedded.processes import EmbeddedServerError
from trading_assets.adapters.embedded.redis import EmbeddedRedis

__all__ = ["EmbeddedPostgres", "EmbeddedRedis", "EmbeddedServerError"]
