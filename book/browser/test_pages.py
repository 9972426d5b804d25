"""The book in Chromium: every page, its search, and its keyboard."""

import re

import pytest

from . import keyboard
from .checks import PageChecks, none
from .conftest import SITES, pages_of

CHAPTER = re.compile(r"\d\d-[\w-]+\.html")


def chapters():
    """The pages of the English chapters."""
    return [name for name in pages_of("book") if CHAPTER.fullmatch(name)]


def with_details():
    """The pages that hold something to open, such as an exercise's solution."""
    folder = SITES["book"][0]
    return [name for name in pages_of("book") if "<details" in (folder / name).read_text(encoding="utf-8")]


class TestBook(PageChecks):
    """Every page of the book."""

    site = "book"


def search(page, words):
    """Type ``words`` into the search field in sight and press Enter; the addresses of the pages that were found."""
    field = page.locator("input[name=q]:visible").first
    field.focus()
    page.keyboard.type(words)
    page.keyboard.press("Enter")
    page.wait_for_url("**/search.html?q=*")
    page.wait_for_selector("#search-results ul.search li a")
    page.wait_for_function("!document.querySelector('#search-progress')?.innerText.includes('...')")
    found = page.locator("#search-results ul.search li a")
    return found.evaluate_all("links => links.map((link) => link.getAttribute('href'))")


def test_search_finds_bottleneck_in_the_chapters(opened):
    """Typed into any page's search field, answered without another host, and the answer leads to a page that has it."""
    page = opened("book", "index.html")
    found = search(page, "bottleneck")
    in_chapters = [href for href in found if CHAPTER.match(href.split("/")[-1])]
    assert in_chapters, found
    page.locator(f"#search-results a[href='{in_chapters[0]}']").first.click()
    page.wait_for_load_state("load")
    assert "bottleneck" in page.inner_text("body").lower()


def test_search_finds_chinese_words(opened):
    """Chinese has no spaces: the search of the Chinese book splits it all the same, and answers in Chinese."""
    page = opened("book", "zh/index.html")
    found = search(page, "\u6b8b\u5dee")
    assert any(CHAPTER.match(href) for href in found), found
    assert page.inner_text("#search-results h2") == "\u641c\u7d22\u7ed3\u679c"


def test_search_says_when_it_finds_nothing(opened):
    """No error, but a sentence."""
    page = opened("book", "search.html?q=xyzzyplugh")
    page.wait_for_selector("#search-results h2, #search-results p")
    page.wait_for_function("document.querySelector('#search-results').innerText.includes('did not match')")


def test_tab_reaches_skip_link_search_and_navigation(opened):
    """In this order of the page, without a mouse."""
    page = opened("book", chapters()[0])
    found = keyboard.stops(page)
    assert "skip" in found[0].kind and found[0].href.startswith("#"), found[0]
    assert any(stop.tag == "input" and "search" in stop.kind.lower() for stop in found)
    reached = {stop.href.split("/")[-1] for stop in found}
    assert set(chapters()[1:]) <= reached
    assert any("theme" in stop.kind for stop in found)


def test_the_skip_link_leads_to_the_content(opened):
    """The stop behind it is in the text, not in the navigation."""
    page = opened("book", chapters()[0])
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("!!document.activeElement.closest('main, article, [role=main]')"), page.evaluate(keyboard.STOP)


@pytest.mark.parametrize("width, scheme", [(1280, "light"), (375, "dark")])
def test_focus_can_be_seen(opened, width, scheme):
    """Pixels change around each of the first stops, and none of them is outside the window."""
    none(keyboard.unseen(opened("book", chapters()[0], width, scheme), most=60))


def test_the_narrow_navigation_opens_and_closes_by_keyboard(opened):
    """At a telephone's width: Tab reaches a switch, a key opens it, Tab goes on to the search field, Escape closes."""
    page = opened("book", chapters()[0], 375)
    field = page.locator("input.sidebar-search")

    def in_window():
        box = field.bounding_box()
        return box is not None and box["x"] >= 0 and field.is_visible()

    def focused(selector):
        return page.evaluate("selector => document.activeElement.matches(selector)", selector)

    page.add_style_tag(content=keyboard.AT_ONCE)
    assert not in_window()
    switch = "#__navigation, .nav-overlay-icon, label[for=__navigation]"
    for _ in range(10):
        page.keyboard.press("Tab")
        if focused(switch):
            break
    assert focused(switch), "no switch of the navigation among the first ten stops of the Tab key"
    page.keyboard.press("Space" if focused("input") else "Enter")
    page.evaluate(keyboard.DRAWN)
    assert in_window()
    assert any(stop.tag == "input" and "search" in stop.kind for stop in keyboard.stops(page, 30))
    page.keyboard.press("Escape")
    page.evaluate(keyboard.DRAWN)
    assert not in_window(), "Escape does not close the navigation"


def test_every_page_with_solutions_is_known():
    """The book has exercises with hidden solutions: else the next test would test nothing."""
    assert with_details()


def test_solutions_open_and_close_by_enter(opened):
    """Each <details>, from its summary."""
    for name in with_details():
        page = opened("book", name)
        for details in page.locator("details").all():
            if not details.locator("xpath=./summary").is_visible():
                continue  # inside another that is closed
            before = details.evaluate("element => element.open")
            details.locator("xpath=./summary").focus()
            for expected in (not before, before):
                page.keyboard.press("Enter")
                assert details.evaluate("element => element.open") == expected, name


#: what the frame of a Chinese page may say in other letters
NAMES = {"gluon-resnet", "Sphinx", "Furo", "@pradyunsg", "English", "ResNet", "authors", "s"}


def test_the_frame_of_a_chinese_page_is_chinese(opened):
    """Navigation, labels, notes, buttons and the search: no English word is left but names."""
    for name in ("zh/index.html", "zh/02-resnet18.html", "zh/04-bird-photos.html", "zh/search.html?q=xyzzyplugh"):
        page = opened("book", name)
        if "search" in name:
            page.wait_for_selector("#search-results p")
        words = page.evaluate("inPage.frame()")
        left = {word for word in re.findall(r"@?[A-Za-z][A-Za-z-]*", " ".join(words)) if word not in NAMES}
        assert not left and any("\u641c\u7d22" in text for text in words), (name, left)


def test_chinese_texts_are_bold_where_english_ones_are_slanted(opened):
    """Slanted characters are hard to read, and no font has them."""
    slanted = """[...document.querySelectorAll("body *")].filter((element) =>
        [...element.childNodes].some((node) => node.nodeType === 3 && /[\\u4e00-\\u9fff]/.test(node.data))
        && getComputedStyle(element).fontStyle !== "normal").map((element) => element.textContent)"""
    for name in [name for name in pages_of("book") if name.startswith("zh/")]:
        page = opened("book", name)
        assert page.evaluate(slanted) == [], name
        for emphasis in page.locator("article em:not(.citation em)").all():
            assert emphasis.evaluate("element => getComputedStyle(element).fontWeight") == "700"


def test_chapters_are_numbered_and_follow_each_other(opened):
    """From the first one "next" leads through all, and "previous" back; in both languages."""
    for folder in ("", "zh/"):
        names = [name for name in pages_of("book") if re.fullmatch(rf"{folder}\d\d-[\w-]+\.html", name)]
        for number, name in enumerate(names, 1):
            page = opened("book", name)
            assert page.inner_text("h1").startswith(f"{number}. "), name
            for step, selector in ((1, "a.next-page"), (-1, "a.prev-page")):
                if 0 < number + step <= len(names):
                    assert folder + page.get_attribute(selector, "href") == names[number - 1 + step]


def test_code_can_be_copied(opened):
    """A button at each code cell, and none at an output; of a shell's session it copies the commands alone."""
    for name, label in ((chapters()[0], "Copy"), ("zh/01-residuals.html", "\u590d\u5236")):
        page = opened("book", name)
        cells = page.locator(".cell_input div.highlight").count()
        assert page.locator(".cell_input button.copybtn").count() == cells > 10
        assert page.locator(".cell_output button.copybtn").count() == 0
        assert page.locator("button.copybtn").first.get_attribute("data-tooltip") == label


def test_notebooks_can_be_downloaded(opened):
    """The link under the title of each chapter: all of its code cells, and nothing that only this book understands."""
    for name in [name for name in pages_of("book") if CHAPTER.fullmatch(name.split("/")[-1])]:
        page = opened("book", name)
        answer = page.request.get(page.evaluate("document.querySelector('p.executed a[download]').href"))
        notebook = answer.json()
        texts = ["".join(cell["source"]) for cell in notebook["cells"]]
        assert answer.status == 200 and notebook["nbformat"] == 4
        assert sum(cell["cell_type"] == "code" for cell in notebook["cells"]) == page.locator(".cell_input").count()
        assert not re.search(r"\{cite|```\{", "\n".join(texts)), name


def test_an_exercise_has_one_bar_to_open(opened):
    """The code of a solution is in the box of its text."""
    for name in with_details():
        page = opened("book", name)
        assert page.locator("details.sd-dropdown + .cell > details").count() == 0, name


def test_titles_keep_their_capitals(opened):
    """In the list of sources."""
    text = opened("book", "02-resnet18.html").inner_text("article")
    assert "Deep Residual Learning for Image Recognition" in text


def test_the_colour_scheme_is_switched_by_enter(opened):
    """The theme's button cycles through light, dark and the system's."""
    page = opened("book", chapters()[0])
    button = page.locator("button.theme-toggle:visible").first
    seen = {page.evaluate("document.body.dataset.theme")}
    button.focus()
    for _ in range(2):
        page.keyboard.press("Enter")
        seen.add(page.evaluate("document.body.dataset.theme"))
    assert seen == {"auto", "light", "dark"}
