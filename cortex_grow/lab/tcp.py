"""A TCP server on the loopback interface: one thread a connection, on a port of the kernel's choice."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable

HOST = "127.0.0.1"


class TcpServer:
    """Accepts connections and hands each to ``serve(socket)`` in a thread of its own.

    ``port`` 0 lets the kernel choose. Connections still open when the server stops are shut down.
    """

    def __init__(self, name: str, serve: Callable[[socket.socket], None], port: int = 0) -> None:
        self._name = name
        self._serve = serve
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self.stopping = threading.Event()
        self._listener = socket.create_server((HOST, port), backlog=256)
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, name=f"lab-{name}", daemon=True)

    def start(self) -> None:
        """Begin to accept."""
        self._thread.start()

    def stop(self) -> None:
        """Stop accepting, shut every open connection down and wait for the accepting thread."""
        self.stopping.set()
        if self._thread.is_alive():
            # Closing a socket does not wake the thread that waits on it everywhere; one more connection does.
            with contextlib.suppress(OSError), socket.create_connection((HOST, self.port), timeout=1):
                pass
            self._thread.join(timeout=5)
        self._listener.close()
        with self._lock:
            left = list(self._open)
        for connection in left:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while not self.stopping.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                if self.stopping.is_set():
                    return
                continue  # a client that was gone before it was accepted
            if self.stopping.is_set():
                connection.close()
                return
            threading.Thread(target=self._run, args=(connection,), name=f"lab-{self._name}-c", daemon=True).start()

    def _run(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.add(connection)
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._serve(connection)
        except OSError:
            pass  # the client went away; that is its right
        finally:
            with self._lock:
                self._open.discard(connection)
            connection.close()


def reset(connection: socket.socket) -> None:
    """Make closing this connection send RST instead of FIN."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def wait_for_close(connection: socket.socket, stopping: threading.Event) -> None:
    """Say nothing until the client closes or the server stops."""
    connection.settimeout(0.2)
    while not stopping.is_set():
        try:
            if not connection.recv(4096):
                return
        except TimeoutError:
            continue
