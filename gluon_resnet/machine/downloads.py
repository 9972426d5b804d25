"""The suite's cache on this machine, and files from the internet on their way into it.

    part = home() / "weights" / "resnet50-11ad3fa6.pth.part"
    bring("https://download.pytorch.org/models/resnet50-11ad3fa6.pth", part, "resnet50-11ad3fa6.pth", 110_000_000)

:func:`bring` only brings the bytes, and goes on where an earlier call was cut off. Whether they are the right ones is
for the caller to check before the file gets its name.
"""

import os
import re
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, Optional, Tuple, Union
from urllib.parse import urljoin, urlsplit

import requests
import urllib3
from tqdm import tqdm

from ..errors import DataError, GluonResNetError

Say = Callable[[str], Any]  # takes one line for the reader
CHUNK = 1 << 16
TIMEOUT = (5, 30)  # seconds to connect, and between two chunks
PAUSES = (0, 1, 2, 4, 8)  # seconds before each try
REDIRECTS = 10
LOOPBACK = ("127.0.0.1", "localhost", "::1")
#: what requests and urllib3 raise if a connection is not made or does not hold
BROKEN = (requests.RequestException, urllib3.exceptions.HTTPError, OSError)


class Unreachable(GluonResNetError):
    """A host that cannot be reached."""


class Refused(GluonResNetError):
    """A host that answers, but not with the file; asking again would not help."""


class Cut(GluonResNetError):
    """A download that broke off; what came so far is kept."""


def as_folder(text: Union[str, Path]) -> Path:
    """A path with its ``~`` written out."""
    try:
        return Path(text).expanduser()
    except RuntimeError as error:  # no HOME and no such user
        raise DataError(f"{text}: {error}; set GLUON_RESNET_HOME, or name a folder with --data") from None


def home() -> Path:
    """The suite's cache: ``$GLUON_RESNET_HOME``, by default ``~/.cache/gluon-resnet``."""
    return as_folder(os.environ.get("GLUON_RESNET_HOME") or "~/.cache/gluon-resnet")


def to_standard_error(line: str) -> None:
    """Print a line for the reader, apart from what the program prints."""
    print(line, file=sys.stderr, flush=True)


def bar(title: str, total: Optional[int], initial: int = 0) -> Any:
    """A progress bar in bytes on standard error; in a log, where nothing can be drawn over, none."""
    return tqdm(
        total=total,
        initial=initial,
        desc=title,
        unit="B",
        unit_scale=True,
        leave=False,
        mininterval=0.2,
        disable=None,
    )


def bring(url: str, part: Path, title: str, limit: int, say: Say = to_standard_error) -> None:
    """Bring all bytes at ``url`` into the file ``part``.

    If ``part`` has the beginning of them from an earlier call, only the rest is asked for. The server's mark of the
    version (ETag, or the date) is kept next to it; if the file has changed since, or the server sends no parts of
    files, it is brought from the start. A connection that breaks off is made again a few times.

    Args:
        url: an HTTPS address; HTTP only on this machine itself.
        part: where the bytes go; its folder exists.
        title: what to call the file in the progress bar.
        limit: bytes; a file that is larger is not the one wanted.
        say: takes one line for each time that the connection broke off.

    Raises:
        Unreachable: there was no connection at the first try.
        Refused: the server does not have the file, sends a larger one, or sends to an address that is not HTTPS.
        Cut: the last try broke off, too; ``part`` keeps what has come.
        OSError: ``part`` cannot be written.
    """
    for number, pause in enumerate(PAUSES, 1):
        time.sleep(pause)
        try:
            return _bring_rest(url, part, title, limit)
        except Unreachable:
            if number == 1:
                raise
            reason = "no connection"
        except Cut as error:
            reason = str(error)
        size = part.stat().st_size if part.exists() else 0
        if number < len(PAUSES):
            say(f"{title}: broke off after {size:,} bytes ({reason}); going on")
    raise Cut(f"broke off {len(PAUSES)} times, the last time after {size:,} bytes ({reason})")


def discard(part: Path) -> None:
    """Remove ``part`` and what is kept about it, if they exist."""
    for path in (part, _mark_path(part)):
        if path.exists():
            path.unlink()


def finish(part: Path, target: Path) -> None:
    """Give ``part`` its name; what is kept about it is removed."""
    part.chmod(0o644)
    os.replace(part, target)
    discard(part)


def first_headers(url: str) -> Dict[str, str]:
    """The headers, in lower case, of the first answer to a question about ``url``, redirected or not.

    Raises Unreachable or Refused if there is none.
    """
    try:
        with requests.head(url, timeout=TIMEOUT, headers={"Accept-Encoding": "identity"}) as response:
            if response.status_code >= 400:
                raise Refused(f"HTTP {response.status_code}")
            return {name.lower(): value for name, value in response.headers.items()}
    except requests.RequestException as error:
        raise Unreachable(type(error).__name__) from None


# One try --------------------------------------------------------------------------------------------------------------


def _bring_rest(url: str, part: Path, title: str, limit: int) -> None:
    start, mark = _kept(part)
    with _answer(url, _asking_for(start, mark)) as response:
        if response.status_code == 416 and _total(response) == start:  # all of it was here already
            return
        if response.status_code == 416 or (response.status_code == 206 and not _goes_on(response, start, mark)):
            discard(part)
            raise Cut("the file has changed; from the start again")
        start = start if response.status_code == 206 else 0
        total = _total(response)
        _mark_path(part).write_text(_mark(response))
        with open(part, "ab" if start else "wb") as stream, bar(title, total, start) as progress:
            size = start
            for chunk in _chunks(response):
                size += len(chunk)
                if size > limit:
                    discard(part)
                    raise Refused(f"sends more than the {limit:,} bytes that it can have")
                stream.write(chunk)
                progress.update(len(chunk))
    if total is not None and size != total:
        raise Cut(f"{total:,} were announced")


def _asking_for(start: int, mark: str) -> Dict[str, str]:
    """Headers that ask for the bytes from ``start`` on, or for all of them if the file is not that of ``mark`` now."""
    headers = {"Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
        if mark:
            headers["If-Range"] = mark
    return headers


@contextmanager
def _answer(url: str, headers: Dict[str, str]) -> Iterator[requests.Response]:
    """The answer at the end of all redirects: status 200, 206 or 416."""
    place = url
    for _ in range(REDIRECTS):
        if not _may_ask(place, url):
            raise Refused(f"{place} is not an HTTPS address")
        try:
            response = requests.get(place, headers=headers, stream=True, timeout=TIMEOUT, allow_redirects=False)
        except requests.ReadTimeout:
            raise Cut(f"no answer for {TIMEOUT[1]:g} s") from None
        except requests.RequestException as error:
            raise Unreachable(type(error).__name__) from None
        with response:
            if not response.is_redirect:
                _check_status(response)
                yield response
                return
            place = urljoin(place, response.headers["location"])
    raise Refused(f"more than {REDIRECTS} redirects")


def _may_ask(place: str, first: str) -> bool:
    """HTTPS alone, but for a server on this machine that was asked first."""
    on_this_machine = all(urlsplit(address).hostname in LOOPBACK for address in (place, first))
    return urlsplit(place).scheme == "https" or (urlsplit(place).scheme == "http" and on_this_machine)


def _check_status(response: requests.Response) -> None:
    status = response.status_code
    if status == 429 or status >= 500:  # busy; a little later it may answer
        raise Cut(f"HTTP {status}")
    if status not in (200, 206, 416):
        raise Refused(f"HTTP {status}")


def _chunks(response: requests.Response) -> Iterator[bytes]:
    stream = response.raw.stream(CHUNK, decode_content=False)
    while True:
        try:
            yield next(stream)
        except StopIteration:
            return
        except urllib3.exceptions.ReadTimeoutError:
            raise Cut(f"nothing for {TIMEOUT[1]:g} s") from None
        except BROKEN as error:
            raise Cut(type(error).__name__) from None


# What is kept of an earlier try ---------------------------------------------------------------------------------------


def _mark_path(part: Path) -> Path:
    return part.with_name(part.name + ".version")


def _kept(part: Path) -> Tuple[int, str]:
    """(bytes in ``part``, mark of the version they are of); (0, "") if there are none."""
    if not part.exists() or not _mark_path(part).exists():
        return 0, ""
    return part.stat().st_size, _mark_path(part).read_text()


def _mark(response: requests.Response) -> str:
    """What tells the version of the file apart, as If-Range takes it; empty if the server says nothing of the kind."""
    tag = response.headers.get("etag", "")
    return tag if tag and not tag.startswith("W/") else response.headers.get("last-modified", "")


def _goes_on(response: requests.Response, start: int, mark: str) -> bool:
    """Does the part that was sent begin at ``start``, and is it of the version of ``mark``?"""
    sent = re.match(r"bytes (\d+)-", response.headers.get("content-range", ""))
    return sent is not None and int(sent[1]) == start and _mark(response) == mark


def _total(response: requests.Response) -> Optional[int]:
    """Bytes of the whole file, if the server says so."""
    if response.status_code == 200:
        length = response.headers.get("content-length", "")
        return int(length) if length.isdigit() else None
    total = re.search(r"/(\d+)$", response.headers.get("content-range", ""))
    return int(total[1]) if total else None
