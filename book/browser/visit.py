"""One page looked at in one window: what it asked for, what it said, what is wrong with it.

For example:

    visit = look(browser, "http://127.0.0.1:40123/", "02-resnet18.html", View(375, "dark"))
    visit.console, visit.failed, visit.foreign, visit.overflow, visit.axe
"""

import os
import re
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import List

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

IN_PAGE = f"window.inPage = {(Path(__file__).parent / 'in_page.js').read_text(encoding='utf-8')}; undefined"
AXE = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]},
    "resultTypes": ["violations"],
}
HEIGHT = 900
CHROMIUM = "chromium, which is not installed: run 'apt-get install chromium' as root"


@dataclass(frozen=True)
class View:
    """A window: its width in CSS pixels, and the colour scheme that the system prefers."""

    width: int
    scheme: str

    def __str__(self):
        return f"{self.width}-{self.scheme}"


VIEWS = [View(width, scheme) for width in (375, 1280) for scheme in ("light", "dark")]


@dataclass
class Visit:
    """What was found; each list is empty where all is well. ``axe`` are lines, one a violation."""

    status: int = 0
    console: List[str] = field(default_factory=list)
    failed: List[str] = field(default_factory=list)
    foreign: List[str] = field(default_factory=list)
    pictures: List[str] = field(default_factory=list)
    overflow: List[str] = field(default_factory=list)
    cut: List[str] = field(default_factory=list)
    raw_formulas: List[str] = field(default_factory=list)
    axe: List[str] = field(default_factory=list)


@contextmanager
def chromium():
    """Context that gives Debian's Chromium, started once. RuntimeError where there is none."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if not path:
        raise RuntimeError(f"no {CHROMIUM}")
    root = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium's sandbox refuses root
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=root)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def window(browser, address, view, visit=None, **options):
    """Context that gives an empty page in a window of its own, which reaches nothing but ``address``.

    What it asks for and says is noted in ``visit``.
    """
    visit = visit or Visit()
    context = browser.new_context(
        viewport={"width": view.width, "height": HEIGHT}, color_scheme=view.scheme, service_workers="block", **options
    )
    try:
        elsewhere = re.compile(rf"^(?!{re.escape(address)}|data:|blob:|about:)")
        context.route(elsewhere, lambda route: (visit.foreign.append(route.request.url), route.abort()))
        page = context.new_page()
        page.on("console", lambda message: message.type in ("error", "warning") and visit.console.append(message.text))
        page.on("pageerror", lambda error: visit.console.append(str(error)))
        page.on("requestfailed", lambda request: visit.failed.append(f"{request.url}: {request.failure}"))
        page.on(
            "response",
            lambda response: response.status >= 400 and visit.failed.append(f"{response.url}: {response.status}"),
        )
        yield page
    finally:
        context.close()


def open_page(page, url):
    """Go to ``url`` and wait until pictures, formulas and fonts are there; the status of the answer."""
    answer = page.goto(url, wait_until="load")
    page.evaluate(IN_PAGE)
    page.evaluate("inPage.settle()")
    return answer.status if answer else 200


def axe_lines(page):
    """A line for each violation of WCAG 2.1 A and AA that axe finds: rule, help, the first elements."""
    found = Axe().run(page, options=AXE).response["violations"]
    return [
        f"{one['id']} ({one['help']}), {len(one['nodes'])} times: "
        + "; ".join(" ".join(node["html"].split())[:160] for node in one["nodes"][:3])
        for one in found
    ]


def look(browser, address, name, view, picture=None):
    """The :class:`Visit` of the page ``name`` at ``address``; with ``picture`` a path for a picture of all of it."""
    visit = Visit()
    with window(browser, address, view, visit) as page:
        visit.status = open_page(page, address + name)
        for question in ("pictures", "overflow", "cut", "raw_formulas"):
            setattr(visit, question, page.evaluate(f"inPage.{question}()"))
        if picture:
            picture.parent.mkdir(parents=True, exist_ok=True)
            page.screenshot(path=str(picture), full_page=True)
        visit.axe = axe_lines(page)
    return visit
