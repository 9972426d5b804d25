"""What the tests in the browser share: the two sites, Chromium, and one look at every page in every window."""

import os
from pathlib import Path

import pytest

from .serve import serve
from .visit import VIEWS, View, chromium, look, open_page, window

BUILD = Path(__file__).resolve().parents[1] / "_build"
#: site -> (its folder, what makes it)
SITES = {
    "book": (Path(os.environ.get("GLUON_RESNET_BOOK", BUILD / "html")), "make book"),
    "reports": (Path(os.environ.get("GLUON_RESNET_REPORTS", BUILD / "reports")), "python -m book.browser.make_reports"),
}
NO_PAGES = ("_static", "_sources", "_images", "_downloads")


def pages_of(site):
    """Names of all pages of a site, such as ``zh/01-residuals.html``; a usage error where it has not been made."""
    folder, command = SITES[site]
    names = sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*.html")
        if not set(path.relative_to(folder).parts) & set(NO_PAGES)
    )
    if not names:
        raise pytest.UsageError(f"{folder}: no pages in it: run {command} first")
    return names


def pytest_generate_tests(metafunc):
    """A test that asks for ``visit`` sees every page of its class' site in every window."""
    if "visit" in metafunc.fixturenames:
        site = metafunc.cls.site
        cases = [(site, name, view) for name in pages_of(site) for view in VIEWS]
        metafunc.parametrize("visit", cases, indirect=True, ids=[f"{name}-{view}" for _, name, view in cases])


@pytest.fixture(scope="session")
def browser():
    """Debian's Chromium."""
    with chromium() as started:
        yield started


@pytest.fixture(scope="session")
def addresses():
    """{site: its address} of both sites, those that are there."""
    with serve(SITES["book"][0]) as book, serve(SITES["reports"][0]) as reports:
        yield {"book": book, "reports": reports}


@pytest.fixture(scope="session")
def visits():
    """{(site, page, view): Visit} of the pages looked at so far."""
    return {}


@pytest.fixture
def visit(request, browser, addresses, visits):
    """What one look at a page found; its picture goes to book/_build/screenshots."""
    site, name, view = request.param
    if request.param not in visits:
        picture = BUILD / "screenshots" / site / f"{name[: -len('.html')]}-{view}.png"
        visits[request.param] = look(browser, addresses[site], name, view, picture)
    return visits[request.param]


@pytest.fixture
def opened(browser, addresses):
    """``opened(site, name, width, scheme)``: a page, loaded and ready, in a window of its own."""
    contexts = []

    def open_one(site, name, width=1280, scheme="light"):
        context = window(browser, addresses[site], View(width, scheme))
        page = context.__enter__()
        contexts.append(context)
        open_page(page, addresses[site] + name)
        return page

    yield open_one
    for context in contexts:
        context.__exit__(None, None, None)
