"""What to play: files, the files of a folder, and files at addresses."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import List, Optional, Sequence
from urllib.parse import unquote, urlsplit

import requests

from ..errors import DataError
from ..files import written_whole
from ..machine.downloads import CHUNK, TIMEOUT
from .formats import ENDINGS

LARGEST = 50_000_000  # bytes of a chapter


@dataclass(frozen=True)
class Source:
    """A chapter's file, and the name of its results without an ending."""

    path: Path
    stem: str


def find(names: Sequence[str], downloads: Path) -> List[Source]:
    """The chapters that ``names`` name, in order.

    Args:
        names: files, folders (all chapters below them, in alphabetical order) and addresses.
        downloads: folder for what addresses lead to.

    Raises:
        DataError: no such file, a folder without chapters, or an address that gives none.
    """
    sources: List[Source] = []
    for name in names:
        if re.match(r"^https?://", name):
            path = _fetched(name, downloads)
            sources.append(Source(path, path.stem))
        elif Path(name).is_dir():
            sources += _in_folder(Path(name))
        elif Path(name).is_file():
            sources.append(Source(Path(name), Path(name).stem))
        else:
            raise DataError(f"{name}: no such file or folder; expected a chapter: {', '.join(ENDINGS)}")
    return _with_own_stems(sources)


def _in_folder(folder: Path) -> List[Source]:
    paths = sorted(path for path in folder.rglob("*") if path.suffix in ENDINGS and path.is_file())
    hidden = [path for path in paths if any(part.startswith((".", "_")) for part in path.relative_to(folder).parts)]
    paths = [path for path in paths if path not in hidden]
    if not paths:
        raise DataError(f"{folder}: no chapter in this folder; expected files that end in {', '.join(ENDINGS)}")
    return [Source(path, "-".join(path.relative_to(folder).with_suffix("").parts)) for path in paths]


def _with_own_stems(sources: List[Source]) -> List[Source]:
    """The sources with a number at the end of a stem that another one has, too."""
    known: List[str] = []
    named = []
    for source in sources:
        count = known.count(source.stem)
        known.append(source.stem)
        named.append(Source(source.path, f"{source.stem}-{count + 1}" if count else source.stem))
    return named


def raw_address(url: str) -> str:
    """The address of the file itself, where ``url`` is that of a page about it on GitHub."""
    match = re.match(r"^https?://github\.com/([^/]+/[^/]+)/(?:blob|raw)/(.+)$", url)
    return f"https://raw.githubusercontent.com/{match[1]}/{match[2]}" if match else url


def _fetched(url: str, folder: Path) -> Path:
    address = raw_address(url)
    name = unquote(urlsplit(address).path.rsplit("/", 1)[-1]) or "chapter"
    if not name.endswith(ENDINGS):
        raise DataError(f"{url}: not the address of a chapter: expected one that ends in {', '.join(ENDINGS)}")
    try:
        content = _content(address)
    except requests.RequestException as error:
        raise DataError(
            f"{url}: cannot be fetched ({_reason(error)}); expected a chapter: download it and name the file"
        ) from None
    folder.mkdir(parents=True, exist_ok=True)
    with written_whole(folder / name) as temporary:
        temporary.write_bytes(content)
    return folder / name


def _reason(error: requests.RequestException) -> str:
    response: Optional[requests.Response] = error.response
    return type(error).__name__ if response is None else f"HTTP {response.status_code}"


def _content(address: str) -> bytes:
    parts, size = [], 0
    with requests.get(address, stream=True, timeout=TIMEOUT) as response:
        response.raise_for_status()
        for chunk in response.iter_content(CHUNK):
            size += len(chunk)
            if size > LARGEST:
                raise DataError(f"{address}: more than {LARGEST:,} bytes: expected a chapter")
            parts.append(chunk)
    return b"".join(parts)
