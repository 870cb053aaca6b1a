"""What pages load: all from here, found by the hash of its content, so that it may be kept for ever."""

import hashlib
from functools import lru_cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

STATIC = Path(__file__).with_name("static")
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


@lru_cache(1)
def _files() -> dict[str, tuple[bytes, str]]:
    """By name: what it holds, and the hash of that."""
    held = {file.name: file.read_bytes() for file in STATIC.iterdir() if file.suffix in TYPES}
    return {name: (content, hashlib.blake2b(content, digest_size=6).hexdigest()) for name, content in held.items()}


def address(name: str) -> str:
    return f"/static/{name}?{_files()[name][1]}"


async def serve(request: Request) -> Response:
    found = _files().get(request.path_params["name"])
    if found is None:
        return Response(status_code=404)
    content, tag = found
    fresh = request.url.query == tag
    headers = {
        "Cache-Control": "public, max-age=31536000, immutable" if fresh else "no-cache",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(content, headers=headers, media_type=TYPES[Path(request.path_params["name"]).suffix])
