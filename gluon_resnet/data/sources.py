"""Find, fetch and verify the files of a data set; nothing here knows what is in them.

Looked at in turn: a folder the user names, the suite's cache, mxnet's cache, Debian's package, mirrors over HTTPS, and
``apt-get download`` of that package, which needs neither root nor an installed package. A file counts only when the
SHA-256 of its decompressed bytes is the published one: recompressed archives pass, damaged ones do not.
"""
import gzip
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Tuple
from urllib.parse import urlsplit

from ..errors import DataError

CHUNK = 1 << 16
ADVICE = "replace it by a whole copy, or remove it and leave --data out to have one fetched"
TIMEOUT = (5, 30)  # seconds to connect, and between two chunks


@dataclass(frozen=True)
class DataFile:
    """A file by its name without ``.gz``, its size in bytes and its SHA-256, both decompressed."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class DataSet:
    """A data set: its files and where the public keeps them. ``mirrors`` are HTTPS folders holding ``name.gz``."""

    title: str
    folder: str  # name of its folder in a cache
    files: Tuple[DataFile, ...]
    mirrors: Tuple[str, ...]
    debian_package: str
    debian_folder: str  # where that package puts the files


def _folder(text):
    """A path with its ``~`` written out."""
    try:
        return Path(text).expanduser()
    except RuntimeError as error:  # no HOME and no such user
        raise DataError(f"{text}: {error}; set GLUON_RESNET_HOME, or name a folder with --data") from None


def home():
    """The suite's cache: ``$GLUON_RESNET_HOME``, by default ``~/.cache/gluon-resnet``."""
    return _folder(os.environ.get("GLUON_RESNET_HOME") or "~/.cache/gluon-resnet")


def local_folders(dataset):
    """Folders that may hold ``dataset`` on this machine, in the order they are looked at: (what it is, path)."""
    mxnet_home = _folder(os.environ.get("MXNET_HOME") or "~/.mxnet")
    return [("the suite's cache", home() / dataset.folder),
            ("mxnet's cache", mxnet_home / "datasets" / dataset.folder),
            (f"Debian's {dataset.debian_package}", Path(dataset.debian_folder))]


def find_file(folder, file):
    """Path of ``file`` in ``folder``, plain or gzipped, or None."""
    for name in (file.name, file.name + ".gz"):
        if os.path.isfile(folder / name):
            return folder / name
    return None


def read_file(path):
    """The bytes of a file, decompressed if its name ends in ``.gz``; DataError where it cannot be read."""
    try:
        if path.suffix == ".gz":
            with gzip.open(path) as stream:
                return stream.read()
        return path.read_bytes()
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path}: damaged gzip file ({error}); {ADVICE}") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None


def check(path, content, file):
    """Raise DataError unless ``content``, the decompressed bytes of ``path``, are those of ``file``."""
    if len(content) != file.size:
        raise DataError(f"{path}: {len(content):,} bytes where {file.size:,} were expected (decompressed); {ADVICE}")
    found = hashlib.sha256(content).hexdigest()
    if found != file.sha256:
        raise DataError(f"{path}: wrong SHA-256 of the decompressed bytes: expected {file.sha256}, found {found}; {ADVICE}")


def load_folder(dataset, folder, verify=True):
    """All files of ``dataset`` in ``folder`` as {name: (path, bytes)}; DataError names the first missing or damaged one.

    With ``verify=False`` any content passes: for other data in the same format.
    """
    folder = _folder(folder)
    if not os.path.isdir(folder):
        raise DataError(f"{folder}: no such folder, or none that may be read; expected one with {_names(dataset)} "
                        f"(plain or .gz)")
    contents = {}
    paths = {file: find_file(folder, file) for file in dataset.files}
    for file, path in paths.items():
        if path is None:
            raise DataError(f"{folder}: {file.name} (or {file.name}.gz) is missing; expected are {_names(dataset)}; "
                            f"{ADVICE}")
    for file, path in paths.items():
        content = read_file(path)
        if verify:
            check(path, content, file)
        contents[file.name] = (path, content)
    return contents


def _names(dataset):
    return ", ".join(file.name for file in dataset.files)


def load_local(dataset, say=lambda line: None):
    """``dataset`` from the first folder of this machine that has all of it whole: (what, path, contents), or None.

    A folder with a damaged or missing file is told to ``say`` in one line and passed over.
    """
    for what, folder in local_folders(dataset):
        if not any(find_file(folder, file) for file in dataset.files):
            continue
        try:
            return what, folder, load_folder(dataset, folder)
        except DataError as error:
            say(f"passing over {what}: {error}")
    return None


def load(dataset, folder=None, verify=True, say=None):
    """Find or fetch ``dataset`` and return (what it came from, folder, {name: (path, bytes)}).

    A named ``folder`` is the only place looked at. Otherwise see the top of this file; what is fetched goes into the
    suite's cache. ``say`` takes one line at a time (default: standard error). DataError says what was tried.
    """
    say = say or (lambda line: print(line, file=sys.stderr, flush=True))
    if folder is not None:
        return "the folder given", _folder(folder), load_folder(dataset, folder, verify)
    found = load_local(dataset, say)
    if found:
        return found
    cache, tried = home() / dataset.folder, []
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{cache}: cannot be made ({error.strerror}); set GLUON_RESNET_HOME to a folder you may "
                        f"write to") from None
    for fetch, name in ((_fetch_mirrors, "mirrors"), (_fetch_debian, "apt-get")):
        try:
            fetch(dataset, cache, say)
            return f"download ({name})", cache, load_folder(dataset, cache)
        except DataError as error:
            tried.append(f"{name}: {error}")
    places = ", ".join(str(path) for _, path in local_folders(dataset))
    raise DataError(f"{dataset.title} is not on this machine ({places}) and cannot be fetched ({'; '.join(tried)}); "
                    f"as root run 'apt-get install {dataset.debian_package}', or put {_names(dataset)} into a folder "
                    f"and name it with --data")


def _bar(title, total):
    from tqdm import tqdm

    return tqdm(total=total, desc=title, unit="B", unit_scale=True, leave=False, mininterval=0.2)


def _store(chunks, target, file):
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
            raise DataError(f"{file.name}: expected {file.size:,} bytes with SHA-256 {file.sha256}, "
                            f"found {size:,} with {digest.hexdigest()}")
        part.chmod(0o644)
        os.replace(part, target)
    except OSError as error:
        raise DataError(f"{target}: cannot be written: {error.strerror}") from None
    finally:
        if part and part.exists():
            part.unlink()


def _fetch_mirrors(dataset, cache, say):
    """Every missing file from the first mirror that has it whole; a host that does not answer is asked once."""
    silent = {}
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


def _is_whole(path, file):
    try:
        check(path, read_file(path), file)
    except DataError:
        return False
    return True


def _download(url, title):
    """Decompressed chunks of a gzipped file behind ``url``, with a progress bar in compressed bytes."""
    import requests
    import urllib3

    unzip = zlib.decompressobj(wbits=31)
    try:
        with requests.get(url, stream=True, timeout=TIMEOUT) as response:
            if response.status_code != 200:
                raise DataError(f"{url}: HTTP {response.status_code}")
            with _bar(title, int(response.headers.get("content-length", 0)) or None) as bar:
                for chunk in response.raw.stream(CHUNK, decode_content=False):
                    bar.update(len(chunk))
                    yield unzip.decompress(chunk)
        yield unzip.flush()
    except zlib.error as error:
        raise DataError(f"{url}: not a gzip file ({error})") from None
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise _Unreachable(type(error).__name__) from None


def _fetch_debian(dataset, cache, say):
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


def _apt_download(package, folder):
    """Path of ``package`` as downloaded into ``folder``; where apt's lists are missing, with lists of its own."""
    own = folder / "apt"
    for part in ("lists/partial", "cache/archives/partial"):
        (own / part).mkdir(parents=True)
    options = ["-o", f"Dir::State::Lists={own / 'lists'}", "-o", f"Dir::Cache={own / 'cache'}",
               "-o", "APT::Sandbox::User="]
    try:
        _run(["apt-get", "download", package], folder)
    except DataError:
        _run(["apt-get", *options, "update"], folder)
        _run(["apt-get", *options, "download", package], folder)
    packages = sorted(folder.glob(f"{package}_*.deb"))
    if not packages:
        raise DataError(f"apt-get download {package} left no package behind")
    return packages[0]


def _run(command, folder=None):
    """Run a program whose output goes to the terminal's standard error; DataError with its last complaint on failure."""
    shown = sys.stderr if sys.stderr.isatty() else subprocess.DEVNULL
    try:
        done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=shown, stderr=subprocess.PIPE,
                              text=True, timeout=600)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DataError(f"{' '.join(command[:2])}: {error}") from None
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or [f"exit {done.returncode}"]
        raise DataError(f"{' '.join(part for part in command if '=' not in part and part != '-o')}: {lines[-1].strip()}")
