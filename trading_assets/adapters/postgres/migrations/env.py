"""Alembic's entry: one connection, one transaction, the version table in schema `ops`'s neighbour `public`."""

import sqlalchemy
from alembic import context
from sqlalchemy.pool import NullPool

engine = sqlalchemy.create_engine(context.config.attributes["url"], poolclass=NullPool)
with engine.connect() as connection:
    # Two processes may start at once: the second waits here and finds nothing to do.
    connection.execute(sqlalchemy.text("select pg_advisory_lock(hashtext('trading_assets.migrate'))"))
    context.configure(connection=connection, version_table="schema_version")
    with context.begin_transaction():
        before = context.get_context().get_current_revision()
        context.run_migrations()
        if context.get_context().get_current_revision() != before:
            connection.execute(sqlalchemy.text("call ops.grant_roles()"))
    connection.execute(sqlalchemy.text("select pg_advisory_unlock(hashtext('trading_assets.migrate'))"))
    connection.commit()
