"""The checks themselves: a page with one fault of each kind, and one without any."""

import pytest

from . import keyboard
from .serve import serve
from .visit import View, look, open_page, window

HEAD = (
    "<!DOCTYPE html><html lang=en><head><title>A page</title><link rel=icon href=data:,></head>"
    "<body><main><h1>A page</h1>"
)
PICTURE = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
GOOD = (
    f"{HEAD}<p>Text, <a href='#'>a link</a> and <img src='{PICTURE}' width=1 height=1 alt='a dot'></p>"
    f"</main></body></html>"
)

#: what is put into the page -> the list of a Visit that must have it
FAULTS = {
    "<script>console.warn('look')</script>": "console",
    "<script>throw Error('no')</script>": "console",
    "<img src='none.png' width=1 height=1 alt='none'>": "failed",
    "<link rel=stylesheet href='http://192.0.2.1/style.css'>": "foreign",
    "<script>fetch('http://no.example/').catch(() => 0)</script>": "foreign",
    f"<img src='{PICTURE}' width=1 height=1>": "pictures",
    f"<img src='{PICTURE}' alt='a dot'>": "pictures",
    "<img src='none.gif' width=1 height=1 alt='lost'>": "pictures",
    "<svg width=9 height=9><rect width=9 height=9 /></svg>": "pictures",
    "<div style='width: 2000px'>wide</div>": "overflow",
    "<div class=highlight><pre style='overflow: auto; width: 50px'>a line that is longer</pre></div>": "cut",
    "<div class=table-wrapper style='overflow: auto; width: 50px'><table><tr><td>unbreakable</table></div>": "cut",
    "<span class=math>\\(x^2\\)</span>": "raw_formulas",
    "<article><p>so $$x^2$$</p></article>": "raw_formulas",
    "<p style='color: #aaa; background: #fff'>pale</p>": "axe",
    "<input>": "axe",
}


@pytest.fixture
def seen(browser, tmp_path):
    """``seen(html)``: the Visit of a page with this content."""

    def see(content):
        (tmp_path / "page.html").write_text(content)
        with serve(tmp_path) as address:
            return look(browser, address, "page.html", View(1280, "light"))

    return see


def test_a_good_page_has_no_faults(seen):
    """Every list is empty."""
    visit = seen(GOOD)
    assert visit.status == 200
    assert not any(value for name, value in vars(visit).items() if name != "status"), visit


@pytest.mark.parametrize(
    "fault, where", FAULTS.items(), ids=[f"{where}-{i}" for i, where in enumerate(FAULTS.values())]
)
def test_each_fault_is_found(seen, fault, where):
    """By the check that it is the business of."""
    assert getattr(seen(GOOD.replace("</main>", f"{fault}</main>")), where)


def test_a_page_that_is_not_there_has_its_status(browser, tmp_path):
    """404, not 200."""
    with serve(tmp_path) as address:
        visit = look(browser, address, "none.html", View(375, "dark"))
    assert visit.status == 404 and visit.failed


@pytest.mark.parametrize(
    "style, faults", [("a { outline: 0 }", 1), ("a { position: absolute; left: -999px }", 1), ("", 0)]
)
def test_focus_that_cannot_be_seen_is_found(browser, tmp_path, style, faults):
    """Without an outline, outside the window, and as browsers have it."""
    (tmp_path / "page.html").write_text(GOOD.replace("</head>", f"<style>{style}</style></head>"))
    with serve(tmp_path) as address, window(browser, address, View(1280, "light")) as page:
        open_page(page, f"{address}page.html")
        assert len(keyboard.unseen(page, most=5)) == faults
