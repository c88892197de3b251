"""The `paperfeed` command: each subcommand is a module of this package, imported only when it is called."""

import errno
import importlib
import os
import sys
from typing import Any, Final

import click

COMMANDS: Final = {
    "up": ("up", "Start everything in one terminal."),
    "serve": ("serve", "Start the API alone."),
    "migrate": ("migrate", "Bring the database to this version."),
    "doctor": ("doctor", "Say what is wrong and what to do."),
    "ingest": ("ingest", "Load papers from a file or standard input."),
    "backfill": ("backfill", "Load a whole archive of papers beside the running service."),
    "sources": ("sources", "List where papers come from, pause them, read one now."),
    "import-events": ("import_events", "Load readers' history from a file."),
    "reindex": ("reindex", "Make the search index anew."),
    "embed": ("embed", "Give papers their sentence vectors."),
    "demo": ("demo", "Load or remove the demonstration."),
    "token": ("token", "Create, list and revoke access tokens."),
    "erase": ("erase", "Remove everything about a reader."),
    "secret": ("secret", "Rotate the key that signs slates and cursors."),
    "slate": ("slate", "Say what a slate says, and check it."),
    "dead-letters": ("dead_letters", "List rejected events and take them in after all."),
    "train": ("train", "Retrain the model now."),
    "models": ("models", "List model versions."),
    "promote": ("promote", "Let a model version answer."),
    "rollback": ("rollback", "Go back to the previous model version."),
    "evaluate": ("evaluate", "Measure the ranker against baselines, on files or on the service's own history."),
    "batch-recommend": ("batch", "Rank papers for the readers of a file, without database or Redis."),
}


_CANNOT_WRITE: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS})


class LazyGroup(click.Group):
    """A group that imports a subcommand's module when it is needed: `--help` stays fast."""

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run a command; a full disk under its output is one line."""
        try:
            return super().main(*args, **extra)
        except OSError as error:
            if error.errno not in _CANNOT_WRITE:
                raise
            click.echo(f"paperfeed: {error.filename or 'output'}: {error.strerror}", err=True)
            # What Python still holds for standard output would fail once more at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            sys.exit(1)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in COMMANDS:
            return None
        command = importlib.import_module(f"api.cli.{COMMANDS[cmd_name][0]}").command
        if not isinstance(command, click.Command):
            raise TypeError(f"api.cli.{COMMANDS[cmd_name][0]} has no click command")
        return command

    def invoke(self, ctx: click.Context) -> object:
        """Run the subcommand; a variable that cannot be understood is one line, not a traceback."""
        try:
            return super().invoke(ctx)
        except ValueError as error:
            if (problem := _settings_problem(error)) is None:
                raise
            click.echo(f"paperfeed: {problem}", err=True)
            sys.exit(1)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


def _settings_problem(error: ValueError) -> str | None:
    from pydantic import ValidationError

    if not isinstance(error, ValidationError) or error.title != "Settings":
        return None
    problems = []
    for detail in error.errors():
        words = detail["msg"].removeprefix("Value error, ")  # pydantic's own words before those of a validator of ours
        is_of_one = bool(detail["loc"])  # else of several together, which the words name
        problems.append(f"PAPERFEED_{detail['loc'][0]}".upper() + f": {words}" if is_of_one else words)
    return "; ".join(problems)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="paperfeed")
def main() -> None:
    """Self-hosted daily papers with a feed that learns."""


if __name__ == "__main__":
    sys.exit(main())
