"""An object store on this machine, as small as one can be.

It lists, gives ranges of bytes, deletes, and with ``If-None-Match: *`` keeps only what is new.
"""

from __future__ import annotations

import http.server
import re
import threading
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

_DATE = "Sun, 01 Nov 2026 00:00:00 GMT"
_ENTRY = (
    "<Contents><Key>{}</Key><Size>{}</Size><ETag>x</ETag>"
    "<LastModified>2026-11-01T00:00:00.000Z</LastModified></Contents>"
)


@contextmanager
def served(folder: Path, monkeypatch):
    """Serve a folder as the bucket of every name; gives the headers of the requests so far."""
    seen: list[dict[str, str]] = []

    class Store(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_HEAD(self):
            self.do_GET()

        def do_GET(self):
            seen.append({name.lower(): value for name, value in self.headers.items()})
            url = urlsplit(self.path)
            query = dict(parse_qsl(url.query))
            if "list-type" in query:
                self._give(200, _listing(folder, query.get("prefix", "")))
                return
            file = folder / unquote(url.path).split("/", 2)[2]
            if not file.is_file():
                self._give(404, b"")
                return
            data = file.read_bytes()
            about = {"Last-Modified": _DATE, "ETag": '"x"'}
            wanted = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
            if wanted is None:
                self._give(200, data, about)
                return
            last = min(int(wanted[2]), len(data) - 1) if wanted[1] and wanted[2] else len(data) - 1
            first = int(wanted[1]) if wanted[1] else max(0, len(data) - int(wanted[2]))
            about["Content-Range"] = f"bytes {first}-{last}/{len(data)}"
            self._give(206, data[first : last + 1], about)

        def do_PUT(self):
            data = self.rfile.read(int(self.headers["Content-Length"]))
            file = folder / unquote(urlsplit(self.path).path).split("/", 2)[2]
            if self.headers.get("If-None-Match") == "*" and file.exists():
                self._give(412, b"<Error><Code>PreconditionFailed</Code></Error>")
                return
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
            self._give(200, b"", {"ETag": '"x"'})

        def do_POST(self):
            keys = re.findall("<Key>(.*?)</Key>", self._body())
            for key in keys:
                (folder / key).unlink()
            told = "".join(f"<Deleted><Key>{key}</Key></Deleted>" for key in keys)
            self._give(200, f"<DeleteResult>{told}</DeleteResult>".encode())

        def _body(self):
            return self.rfile.read(int(self.headers["Content-Length"])).decode()

        def _give(self, status, body, about=None):
            self.send_response(status)
            for name, value in {**(about or {}), "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Store)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    for name, value in {"ACCESS_KEY_ID": "who", "SECRET_ACCESS_KEY": "psst", "REGION": "x"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    try:
        yield seen
    finally:
        server.shutdown()
        server.server_close()


def _listing(folder: Path, prefix: str) -> bytes:
    files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
    names = {file.relative_to(folder).as_posix(): file.stat().st_size for file in files}
    entries = [_ENTRY.format(name, size) for name, size in names.items() if name.startswith(prefix)]
    text = f"<ListBucketResult><IsTruncated>false</IsTruncated>{''.join(entries)}"
    return f"{text}</ListBucketResult>".encode()
