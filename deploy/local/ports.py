"""Ports on loopback, kept for children that have yet to listen on them, or will again after a restart."""

import socket
import sys
from contextlib import ExitStack
from random import sample

HOST = "127.0.0.1"
PORTS = range(20_000, 30_000)  # below what kernels give to outgoing connections: a restarted part finds its port free


def reserved(wanted: int, held: ExitStack) -> int:
    """A port nobody else takes while `held` is open: bound by us but not listened to, so that a child of ours may."""
    for port in [wanted] if wanted else sample(PORTS, 100):
        bound = socket.socket()
        try:
            # A wanted port may have connections of an earlier run that are still closing; any other is taken if free.
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, bool(wanted))
            bound.bind((HOST, port))
        except OSError as error:
            bound.close()
            if wanted:
                raise SystemExit(f"Port {port} cannot be used: {error.strerror}. Choose another with --port.") from None
            continue
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, True)
        if sys.platform == "linux":
            held.enter_context(bound)
        else:  # elsewhere a bound socket would keep our child from listening
            bound.close()
        return port
    raise SystemExit("No free port was found on this machine.")
