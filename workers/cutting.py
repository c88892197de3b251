"""An end to requests whose answers come a drop at a time: their connections are shut when the time is over."""

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Final

_OPENED: Final = ("connect_tcp.complete", "start_tls.complete")  # events of httpx2's extension `trace`


class Cutter:
    """Shuts the connections of one client, which makes one request at a time."""

    def __init__(self) -> None:
        self.has_cut = False  # during the last request
        self._sockets: list[socket.socket] = []

    def note(self, event: str, info: Mapping[str, Any]) -> None:
        """Remember a connection that was opened; this is the `trace` of a request."""
        if not event.endswith(_OPENED):
            return
        opened = info["return_value"].get_extra_info("socket")
        self._sockets = [*(kept for kept in self._sockets if kept.fileno() >= 0), opened]
        if self.has_cut:  # it was opened too late to be shut with the others
            _shut(opened)

    @contextmanager
    def after(self, seconds: float) -> Iterator[None]:
        """Shut what is open when the block takes longer; then it meets errors or the end of a connection."""
        self.has_cut = False
        timer = threading.Timer(seconds, self._cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()

    def _cut(self) -> None:
        self.has_cut = True
        for opened in self._sockets:
            _shut(opened)


def _shut(opened: socket.socket) -> None:
    with suppress(OSError):  # it is closed already
        # Not the method of a socket with TLS: that one takes it apart while another thread reads from it.
        socket.socket.shutdown(opened, socket.SHUT_RDWR)
