"""Look at the links of the built book: inner ones must lead somewhere, and no page may load anything from another host.

    python -m book.links book/_build/html

Links to other hosts are looked at for their form alone; on a machine with a network `make linkcheck` follows them.
"""

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import click

from .chapters import ChapterError, command_line

#: tags that load what they name -> the attribute that names it
LOADED = {
    "script": "src",
    "img": "src",
    "source": "src",
    "iframe": "src",
    "video": "src",
    "audio": "src",
    "object": "data",
    "embed": "src",
    "link": "href",
}
STYLE_URL = re.compile(r"""url\(\s*['"]?([^'")]+)|@import\s+['"]([^'"]+)""")


class Page(HTMLParser):
    """The ids of a page, its links as [(line, address)], and what it loads as [(line, tag, address)]."""

    def __init__(self, path):
        super().__init__()
        self.path, self.ids, self.links, self.loaded = path, set(), [], []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        """Note ids and addresses (called by the parser)."""
        found, line = dict(attributes), self.getpos()[0]
        self.ids.update(found[name] for name in ("id", "name") if found.get(name))
        if tag == "a" and "href" in found:
            self.links.append((line, found["href"] or ""))
        address = found.get(LOADED.get(tag))
        if address:
            self.loaded.append((line, tag, address))


def _local(page, address, folder):
    """(file, fragment) that an address of this book leads to."""
    parts = urlsplit(address)
    path = unquote(parts.path)
    target = page.path if not path else (folder / path.lstrip("/") if path.startswith("/") else page.path.parent / path)
    target = target.resolve()
    return target / "index.html" if target.is_dir() else target, unquote(parts.fragment)


def _problem_of_link(page, address, folder, pages):
    """What is wrong with a link, or None."""
    parts = urlsplit(address)
    if parts.scheme in ("http", "https"):
        return None if parts.netloc and not re.search(r"\s", address) else "not the form of an address"
    if parts.scheme:
        return None if parts.scheme == "mailto" and "@" in parts.path else f"unknown scheme {parts.scheme}"
    target, fragment = _local(page, address, folder)
    if not target.is_file():
        return "there is no such page"
    if fragment and target in pages and fragment not in pages[target].ids:
        return "there is no such place in the page"
    return None


def _problem_of_loaded(page, tag, address, folder):
    parts = urlsplit(address)
    if parts.scheme == "data":
        return None
    if parts.scheme or parts.netloc:
        return f"<{tag}> loads from another host"
    return None if _local(page, address, folder)[0].is_file() else f"<{tag}> loads a file that is not there"


def _style_problems(folder):
    for path in sorted(folder.rglob("*.css")):
        for match in STYLE_URL.finditer(path.read_text(encoding="utf-8", errors="replace")):
            address = match.group(1) or match.group(2)
            if urlsplit(address).netloc:
                yield f"{path.relative_to(folder)}: loads from another host: {address}"


def problems(folder):
    """All that is wrong with the links of the HTML files in ``folder``, a line each."""
    folder = Path(folder).resolve()
    pages = {path: Page(path) for path in sorted(folder.rglob("*.html"))}
    found = []
    for path, page in pages.items():
        where = path.relative_to(folder)
        wrong = [(line, address, _problem_of_link(page, address, folder, pages)) for line, address in page.links]
        wrong += [(line, address, _problem_of_loaded(page, tag, address, folder)) for line, tag, address in page.loaded]
        found += [
            f"{where}:{line}: {address or 'an empty address'}: {problem}" for line, address, problem in wrong if problem
        ]
    return found + list(_style_problems(folder))


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("folder", type=click.Path(exists=True, file_okay=False), metavar="FOLDER")
def main(folder):
    """Check the links of a built book. Exit status 2 where one leads nowhere."""
    found = problems(folder)
    if found:
        raise ChapterError("\nbook: ".join(found))


if __name__ == "__main__":
    command_line(main, "python -m book.links")
