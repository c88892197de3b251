"""Alembic's entry: runs the revisions on the connection that `api.store.migrate` hands over."""

from alembic import context

from api.store import tables_collections, tables_letters, tables_sources  # noqa: F401 - their tables belong to the same metadata
from api.store.tables import Base


def run() -> None:
    """Run the revisions inside the caller's transaction, so that a failed upgrade leaves nothing behind."""
    connection = context.config.attributes["connection"]
    context.configure(connection=connection, target_metadata=Base.metadata, transactional_ddl=True)
    with context.begin_transaction():
        context.run_migrations()


run()
