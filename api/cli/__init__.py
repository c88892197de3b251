"""The `paperfeed` command: each subcommand is a module of this package, imported only when it is called."""

import importlib
import sys
from typing import Final

import click

COMMANDS: Final = {
    "up": ("up", "Start everything in one terminal."),
    "serve": ("serve", "Start the API alone."),
    "migrate": ("migrate", "Bring the database to this version."),
    "doctor": ("doctor", "Say what is wrong and what to do."),
    "ingest": ("ingest", "Load papers from a file or standard input."),
    "import-events": ("import_events", "Load readers' history from a file."),
    "demo": ("demo", "Load or remove the demonstration."),
    "token": ("token", "Create, list and revoke access tokens."),
    "train": ("train", "Retrain the model now."),
    "models": ("models", "List model versions."),
    "promote": ("promote", "Let a model version answer."),
    "rollback": ("rollback", "Go back to the previous model version."),
    "batch-recommend": ("batch", "Rank papers for the readers of a file, without database or Redis."),
}


class LazyGroup(click.Group):
    """A group that imports a subcommand's module when it is needed: `--help` stays fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in COMMANDS:
            return None
        command = importlib.import_module(f"api.cli.{COMMANDS[cmd_name][0]}").command
        if not isinstance(command, click.Command):
            raise TypeError(f"api.cli.{COMMANDS[cmd_name][0]} has no click command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="paperfeed")
def main() -> None:
    """Self-hosted daily papers with a feed that learns."""


if __name__ == "__main__":
    sys.exit(main())
