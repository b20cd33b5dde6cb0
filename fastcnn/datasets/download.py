"""Getting a file over the network: with a bar, a time limit, and never more than there should be."""

from __future__ import annotations

import http.client
import sys
import urllib.request

from ..utils.progress import is_live, open_bar

#: Seconds without a byte after which a server counts as gone.
TIMEOUT = 20.0
_CHUNK = 1 << 18


class DownloadError(Exception):
    """A file that a server didn't give; the message has the address."""


def download(url: str, title: str, limit: int) -> bytes:
    """The content at `url`.

    Parameters
    ----------
    url : str
    title : str
        Shown beside the bar, on standard error; a single line where that isn't a terminal.
    limit : int
        Bytes; more are refused.

    Raises
    ------
    DownloadError
        No connection, no such file, an interruption, more than `limit`.
    """
    live = is_live(sys.stderr)
    if not live and sys.stderr is not None:
        print(f"Downloading {title} from {url}", file=sys.stderr, flush=True)
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as answer:
            length = answer.headers.get("Content-Length", "")
            total = int(length) if length.isdecimal() else None
            if total is not None and total > limit:
                raise DownloadError(f"{url}: {total} bytes, expected at most {limit}")
            bar = open_bar(title, total, sys.stderr, unit="B", unit_scale=True, disable=not live)
            with bar:
                return _receive(answer, url, total, limit, bar)
    except (OSError, http.client.HTTPException) as error:  # urllib's errors are OSErrors
        raise DownloadError(f"{url}: {error}") from None


def _receive(answer: http.client.HTTPResponse, url: str, total: int | None, limit: int, bar: object) -> bytes:
    content = bytearray()
    while chunk := answer.read(_CHUNK):
        content += chunk
        bar.update(len(chunk))  # type: ignore[attr-defined]
        if len(content) > limit:
            raise DownloadError(f"{url}: more than the {limit} bytes expected")
    if total is not None and len(content) < total:
        raise DownloadError(f"{url}: ended after {len(content)} of {total} bytes")
    return bytes(content)
