"""A program with a client, to be killed: `python -m tests.api.client.recorder URL TOKEN FOLDER COUNT END PAPER...`.

It prints the id of each event once it is recorded, and ends by itself when END is `exits`.
"""

import sys
import time
from pathlib import Path

from api.client import Buffering, Client, Event


def main(url: str, token: str, folder: str, count: str, end: str, *papers: str) -> None:
    """Record events and print their ids."""
    buffering = Buffering(Path(folder) if folder else None, batch_seconds=0.2, exit_seconds=5.0)
    client = Client(url, token, reader="ada", buffering=buffering)
    for number in range(int(count)):
        event = Event("impression", papers[number % len(papers)])
        client.record(event)
        sys.stdout.write(f"{event.event_id}\n")
        sys.stdout.flush()
    if end == "stays":
        time.sleep(600)


if __name__ == "__main__":
    main(*sys.argv[1:])
