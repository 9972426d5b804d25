"""Load the files of a data set; missing ones come from mirrors over HTTPS or from Debian's package, without root.

A file appears in the cache whole and verified or not at all.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path
from typing import Dict, Iterable, Iterator, Optional, Sequence, Tuple, Union
from urllib.parse import urlsplit

import requests
import urllib3

from ..errors import DataError
from ..machine.downloads import CHUNK, TIMEOUT, Say, as_folder, bar, home, to_standard_error
from .sources import (
    Contents,
    DataFile,
    DataSet,
    check,
    file_names,
    find_file,
    load_folder,
    load_local,
    local_folders,
    read_file,
)


def _store(chunks: Iterable[bytes], target: Path, file: DataFile) -> None:
    """Write decompressed ``chunks`` to ``target`` so that it appears whole and verified or not at all."""
    part, digest, size = None, hashlib.sha256(), 0
    try:
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        part = Path(name)
        with os.fdopen(handle, "wb") as stream:
            for chunk in chunks:
                size += len(chunk)
                if size > file.size:
                    raise DataError(f"{file.name}: more than the {file.size:,} bytes expected")
                digest.update(chunk)
                stream.write(chunk)
        if size != file.size or digest.hexdigest() != file.sha256:
            raise DataError(
                f"{file.name}: expected {file.size:,} bytes with SHA-256 {file.sha256}, "
                f"found {size:,} with {digest.hexdigest()}"
            )
        part.chmod(0o644)
        os.replace(part, target)
    except OSError as error:
        raise DataError(f"{target}: cannot be written: {error.strerror}") from None
    finally:
        if part and part.exists():
            part.unlink()


def from_mirrors(dataset: DataSet, cache: Path, say: Say) -> None:
    """Every missing file from the first mirror that has it whole; a host that does not answer is asked once."""
    silent: Dict[str, str] = {}
    for file in dataset.files:
        target, reasons = cache / file.name, []
        if target.is_file() and _is_whole(target, file):
            continue
        for mirror in dataset.mirrors:
            host = urlsplit(mirror).netloc
            if host in silent:
                reasons.append(silent[host])
                continue
            try:
                _store(_download(f"{mirror}/{file.name}.gz", file.name), target, file)
                say(f"fetched {file.name} from {host}")
                break
            except _Unreachable as error:
                silent[host] = f"{host}: {error}"
                reasons.append(silent[host])
            except DataError as error:
                reasons.append(f"{host}: {error}")
        else:
            raise DataError("; ".join(dict.fromkeys(reasons)))


class _Unreachable(DataError):
    """A host that does not answer, or breaks off."""


def _is_whole(path: Path, file: DataFile) -> bool:
    try:
        check(path, read_file(path), file)
    except DataError:
        return False
    return True


def _download(url: str, title: str) -> Iterator[bytes]:
    """Decompressed chunks of a gzipped file at ``url``, with a progress bar in compressed bytes."""
    unzip = zlib.decompressobj(wbits=31)
    try:
        with requests.get(url, stream=True, timeout=TIMEOUT) as response:
            if response.status_code != 200:
                raise DataError(f"{url}: HTTP {response.status_code}")
            with bar(title, int(response.headers.get("content-length", 0)) or None) as progress:
                for chunk in response.raw.stream(CHUNK, decode_content=False):
                    progress.update(len(chunk))
                    yield unzip.decompress(chunk)
        yield unzip.flush()
    except zlib.error as error:
        raise DataError(f"{url}: not a gzip file ({error})") from None
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise _Unreachable(type(error).__name__) from None


def from_debian(dataset: DataSet, cache: Path, say: Say) -> None:
    """Every file out of Debian's package, downloaded and unpacked in a temporary folder, without root."""
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        raise DataError("no apt-get and dpkg-deb on this machine")
    with tempfile.TemporaryDirectory(prefix="gluon-resnet-") as name:
        temporary = Path(name)
        say(f"fetching Debian's package {dataset.debian_package} with apt-get download")
        package = _apt_download(dataset.debian_package, temporary)
        _run(["dpkg-deb", "-x", str(package), str(temporary / "tree")])
        folder = temporary / "tree" / dataset.debian_folder.lstrip("/")
        for file in dataset.files:
            path = find_file(folder, file)
            if path is None:
                raise DataError(f"{package.name} has no {file.name}")
            _store([read_file(path)], cache / file.name, file)


def _apt_download(package: str, folder: Path) -> Path:
    """Path of ``package`` as downloaded into ``folder``; if apt's lists are missing, with lists of its own."""
    own = folder / "apt"
    for part in ("lists/partial", "cache/archives/partial"):
        (own / part).mkdir(parents=True)
    options = [
        "-o",
        f"Dir::State::Lists={own / 'lists'}",
        "-o",
        f"Dir::Cache={own / 'cache'}",
        "-o",
        "APT::Sandbox::User=",
    ]
    try:
        _run(["apt-get", "download", package], folder)
    except DataError:
        _run(["apt-get", *options, "update"], folder)
        _run(["apt-get", *options, "download", package], folder)
    packages = sorted(folder.glob(f"{package}_*.deb"))
    if not packages:
        raise DataError(f"apt-get download {package} left no package behind")
    return packages[0]


def _run(command: Sequence[str], folder: Optional[Path] = None) -> None:
    """Run a program with its output on standard error; DataError with its last error line if it fails."""
    output = sys.stderr if sys.stderr.isatty() else subprocess.DEVNULL
    try:
        process = subprocess.run(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.PIPE, text=True, timeout=600
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DataError(f"{' '.join(command[:2])}: {error}") from None
    if process.returncode:
        lines = [line for line in process.stderr.splitlines() if line.strip()] or [f"exit {process.returncode}"]
        shown = " ".join(part for part in command if "=" not in part and part != "-o")
        raise DataError(f"{shown}: {lines[-1].strip()}")


def load(
    dataset: DataSet, folder: Union[str, Path, None] = None, verify: bool = True, say: Optional[Say] = None
) -> Tuple[str, Path, Contents]:
    """Find or fetch ``dataset``.

    Args:
        dataset: the data set to load.
        folder: the only place to look in; None looks and fetches as the top of sources.py says. What is fetched goes
            into the suite's cache.
        verify: check the files of ``folder`` by size and SHA-256.
        say: takes one line at a time; None prints to standard error.

    Returns:
        What it came from, the folder, and {name: (path, bytes)}.

    Raises:
        DataError: the files cannot be found or fetched; it says what was tried.
    """
    say = say or to_standard_error
    if folder is not None:
        return "the folder given", as_folder(folder), load_folder(dataset, folder, verify)
    local = load_local(dataset, say)
    if local:
        return local
    cache, failures = home() / dataset.folder, []
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(
            f"{cache}: cannot be made ({error.strerror}); set GLUON_RESNET_HOME to a folder you may write to"
        ) from None
    for bring, name in ((from_mirrors, "mirrors"), (from_debian, "apt-get")):
        try:
            bring(dataset, cache, say)
            return f"download ({name})", cache, load_folder(dataset, cache)
        except DataError as error:
            failures.append(f"{name}: {error}")
    places = ", ".join(str(path) for _, path in local_folders(dataset))
    raise DataError(
        f"{dataset.title} is not on this machine ({places}) and cannot be fetched ({'; '.join(failures)}); "
        f"as root run 'apt-get install {dataset.debian_package}', or put {file_names(dataset)} into a "
        f"folder and name it with --data"
    )
