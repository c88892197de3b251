"""Lets `python -m api.cli` start the `paperfeed` command."""

from api.cli import main

main()
