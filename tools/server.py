"""The built site over http, for this machine only."""

import functools
import http.server
from pathlib import Path

from tools.project import BookError


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files, says nothing for each of them, and never lets a browser keep an old page."""

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def end_headers(self) -> None:
        """Add that nothing is to be cached."""
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()


def server(site: Path, port: int = 0) -> http.server.ThreadingHTTPServer:
    """A server of a folder on a local port (0: any free one); raises BookError if the port is taken."""
    try:
        return http.server.ThreadingHTTPServer(("127.0.0.1", port), functools.partial(Quiet, directory=str(site)))
    except OSError as error:
        raise BookError(f"Port {port} cannot be used ({error.strerror}): choose another with --port.") from None


def serve(site: Path, port: int) -> None:
    """Serve until interrupted."""
    with server(site, port) as running:
        print(f"Reading at http://127.0.0.1:{running.server_address[1]}/ (Ctrl-C ends it)", flush=True)
        try:
            running.serve_forever()
        except KeyboardInterrupt:
            print()
