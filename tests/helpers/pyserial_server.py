"""A program: pyserial's RFC 2217 server in front of a serial port, as in pyserial's example.

``python pyserial_server.py PATH PORT`` serves one client after the other.
"""

from contextlib import suppress
import socket
import sys
from threading import Event, Thread
from typing import Any

import serial
from serial.rfc2217 import PortManager


class PtySerial(serial.Serial):  # type: ignore[misc]  # pyserial has no types
    """A port with constant modem lines: querying those of a pseudo-terminal fails."""

    cts = dsr = ri = cd = True


class Connection:
    """The connection that PortManager writes to."""

    def __init__(self, client: socket.socket) -> None:
        self.write = client.sendall


def serve(port: Any, client: socket.socket) -> None:
    manager = PortManager(port, Connection(client))
    done = Event()

    def forward() -> None:
        with suppress(OSError):
            while not done.is_set():
                if data := port.read(port.in_waiting or 1):
                    client.sendall(b"".join(manager.escape(data)))

    reader = Thread(target=forward)
    reader.start()
    try:
        while data := client.recv(1024):
            port.write(b"".join(manager.filter(data)))
    except OSError:
        pass
    finally:
        done.set()
        reader.join()
        client.close()


def main(path: str, tcp_port: int) -> None:
    settings: Any = None
    with (
        PtySerial(path, timeout=0.05) as port,
        socket.create_server(("127.0.0.1", tcp_port)) as server,
    ):
        settings = port.get_settings()
        while True:
            client, _ = server.accept()
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            serve(port, client)
            port.apply_settings(settings)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
