"""How soon Plan Management is painted, beside the very same bytes served as files; and what a page weighs.

python -m tests.bench.first_paint                 20 loads of each, in turns
python -m tests.bench.first_paint --loads 5       sooner done
"""

import argparse
import http.server
import statistics
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Page
from rich.console import Console
from rich.progress import track
from rich.table import Table

from tests.gateway.portal.browser import Visitor, chromium
from tests.portal import Portal

PAGE = "/a/acme/plan-management"
TIMES = """() => {
    const [page] = performance.getEntriesByType('navigation');
    const paint = performance.getEntriesByName('first-contentful-paint')[0];
    return paint ? [page.responseStart - page.requestStart, paint.startTime] : null;
}"""
console = Console()

Files = Mapping[str, tuple[str, bytes]]  # by path: media type and body


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.first_paint", description=__doc__.splitlines()[0])
    parser.add_argument("--loads", type=int, default=20, help="of each page")
    loads = parser.parse_args().loads
    with tempfile.TemporaryDirectory() as folder, Portal(Path(folder) / "data") as portal, chromium() as browser:
        visitor = Visitor(browser, portal.url())
        visitor.sign_in("olive")
        # Without the visitor's own look at each request, which takes longer than the request.
        context = browser.new_context(storage_state=visitor.context.storage_state(), base_url=portal.url())
        page = context.new_page()
        files = _files(page)
        with _served(files) as url:
            measured: dict[str, list[tuple[float, float]]] = {portal.url(): [], url: []}
            for _ in track(range(loads), "loading", console=console):
                for address, times in measured.items():
                    times.append(_times(page, address + PAGE))
        context.close()
        visitor.close()
        ours, bare = measured.values()
    _report(ours, bare, files)


def _files(page: Page) -> Files:
    """The page and everything it asks for when it is loaded."""
    page.goto(PAGE)
    paths = page.evaluate("performance.getEntriesByType('resource').map(each => new URL(each.name).pathname)")
    asked = {path: page.request.get(path) for path in {PAGE, *paths} if "changes" not in path}
    return {path: (answer.headers["content-type"], answer.body()) for path, answer in asked.items()}


def _times(page: Page, address: str) -> tuple[float, float]:
    """Until the answer began, and until something was painted, in ms."""
    page.goto(address)
    while (times := page.evaluate(TIMES)) is None:
        page.wait_for_timeout(5)
    first_byte, painted = times
    return first_byte, painted


@contextmanager
def _served(files: Files) -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            media_type, body = files.get(urlsplit(self.path).path, ("text/plain", b""))
            self.send_response(200)
            for name, value in (("Content-Type", media_type), ("Content-Length", f"{len(body)}")):
                self.send_header(name, value)
            if "html" not in media_type:
                self.send_header("Cache-Control", "public, max-age=31536000, immutable")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()


def _report(ours: list[tuple[float, float]], bare: list[tuple[float, float]], files: Files) -> None:
    table = Table("median of loads, ms", "Plan Management", "the same bytes as files", "ratio")
    for name, which in (("until the answer begins", 0), ("until the first paint", 1)):
        one, other = (statistics.median(times[which] for times in each) for each in (ours, bare))
        table.add_row(name, f"{one:.1f}", f"{other:.1f}", f"{one / other:.2f}")
    console.print(table)
    weights = Table("what a first visit loads", "kB")
    for path, (_, body) in sorted(files.items(), key=lambda each: -len(each[1][1])):
        weights.add_row(path, f"{len(body) / 1000:,.1f}")
    weights.add_row("all", f"{sum(len(body) for _, body in files.values()) / 1000:,.1f}")
    console.print(weights)


if __name__ == "__main__":
    main()
