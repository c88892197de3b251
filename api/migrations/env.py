"""Alembic's entry: runs the revisions on the connection that `api.store.migrate` hands over."""

from alembic import context

from api.store import (  # noqa: F401 - their tables belong to the same metadata
    tables_accounts,
    tables_collections,
    tables_comments,
    tables_feed_addresses,
    tables_letters,
    tables_mails,
    tables_shelf,
    tables_sources,
    tables_tastes,
)
from api.store.tables import Base


def run() -> None:
    """Run the revisions inside the caller's transaction where there is one, else each in its own.

    A failed revision leaves nothing behind, and one that holds a lock does so for no longer than it lasts.
    """
    connection = context.config.attributes["connection"]
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        transactional_ddl=True,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


run()
