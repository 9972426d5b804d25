"""The report of a run in Chromium: as a page among others, as a file of its own, without scripts, with the keyboard."""

import pytest

from . import keyboard
from .checks import PageChecks, none
from .conftest import SITES, pages_of
from .visit import View, window

EVIL = "<img src=x onerror=alert(1)>"


class TestReports(PageChecks):
    """Every report that make_reports.py makes."""

    site = "reports"


@pytest.mark.parametrize("scripts", [True, False])
def test_opened_as_a_file_it_asks_for_nothing_else(browser, scripts):
    """Also where scripts are switched off, with all its figures."""
    for name in pages_of("reports"):
        address, asked = (SITES["reports"][0] / name).resolve().as_uri(), []
        with window(browser, address, View(1280, "light"), java_script_enabled=scripts) as page:
            page.on("request", lambda request, asked=asked: asked.append(request.url))
            page.goto(address)
            assert [url for url in asked if not url.startswith("data:")] == [address]
            assert "Training loss" in page.inner_text("main") and page.locator("svg[role=img]").count() == 2, name


def test_a_class_name_is_text(opened):
    """A class may be called like an element with a script: it is read, not run."""
    page = opened("reports", "pictures.html")
    dialogs = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    page.reload()
    assert page.locator("th", has_text=EVIL).count() >= 3 and page.locator("img[src=x]").count() == 0 and not dialogs


def test_texts_of_the_curves_can_be_selected(opened):
    """They are texts, not drawn outlines."""
    page = opened("reports", "fashion.html")
    assert (
        page.evaluate("""() => {
        const text = [...document.querySelectorAll("svg text")].find((one) => one.textContent === "accuracy");
        getSelection().selectAllChildren(text);
        return getSelection().toString();
    }""")
        == "accuracy"
    )


def test_curves_follow_the_colour_scheme(opened):
    """Lines and texts have other colours on a dark screen."""
    colours = []
    for scheme in ("light", "dark"):
        page = opened("reports", "fashion.html", scheme=scheme)
        colours.append(
            page.evaluate("""() => ["svg text", "svg clipPath, svg path[clip-path]"]
            .map((selector) => getComputedStyle(document.querySelector(selector)))
            .map((style) => [style.fill, style.stroke].join())""")
        )
    assert colours[0][0] != colours[1][0] and colours[0][1] != colours[1][1]


def test_tab_reaches_everything_and_is_seen(opened):
    """The skip link first, then the sections, every box that scrolls, and what can be opened."""
    for width, scheme in ((1280, "light"), (375, "dark")):
        found = keyboard.stops(opened("reports", "fashion.html", width, scheme))
        assert "skip" in found[0].kind
        assert {"#result", "#again", "#where", "#layers", "#epochs", "#evaluation"} <= {stop.href for stop in found}
        assert sum(stop.tag == "summary" for stop in found) == 2
        page = opened("reports", "fashion.html", width, scheme)
        boxes = page.locator("main .scroll:visible").count()
        assert sum(stop.kind.startswith("scroll") for stop in found) == boxes > 8
        none(keyboard.unseen(page, most=80))


def test_the_skip_link_leads_to_the_content(opened):
    """Behind it Tab goes on in the content."""
    page = opened("reports", "fashion.html")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("!!document.activeElement.closest('main')")


def test_wide_tables_scroll_by_keyboard_in_their_own_boxes(opened):
    """At a telephone's width, with the arrow keys."""
    page = opened("reports", "fashion.html", 375)
    box = page.locator(".scroll", has=page.locator("caption", has_text="Epoch by epoch"))
    assert box.evaluate("box => box.scrollWidth > box.clientWidth")
    box.focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    page.wait_for_timeout(400)
    assert box.evaluate("box => box.scrollLeft") > 0
    assert page.evaluate("document.scrollingElement.scrollLeft") == 0


def test_details_open_by_enter(opened):
    """All settings, and all results."""
    page = opened("reports", "fashion.html")
    for details in page.locator("details").all():
        details.locator("summary").focus()
        page.keyboard.press("Enter")
        assert details.evaluate("element => element.open") and details.locator("table").is_visible()
