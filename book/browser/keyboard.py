"""A page under the Tab key: where it stops, in what order, and whether that can be seen."""

from dataclasses import dataclass

MOST_STOPS = 400
MARGIN = 6  # CSS pixels around a focused element in which its outline may lie
#: nothing fades or glides: what a key does is there at once
AT_ONCE = (
    "*, ::before, ::after { transition: none !important; animation: none !important; "
    "scroll-behavior: auto !important; }"
)

STOP = r"""() => {
  const element = document.activeElement;
  if (!element || element === document.body) return null;
  if (!element.dataset.stop) element.dataset.stop = String(window.stops = (window.stops || 0) + 1);
  const label = element.getAttribute("aria-label") || (element.innerText || "").trim()
    || element.getAttribute("placeholder") || "";
  const box = element.getBoundingClientRect();
  return {number: Number(element.dataset.stop), tag: element.tagName.toLowerCase(),
          label: label.replace(/\s+/g, " ").slice(0, 60), id: element.id, kind: element.getAttribute("class") || "",
          href: element.getAttribute("href") || "",
          box: [box.left, box.top, box.width, box.height]};
}"""

#: waits until what has changed is drawn
DRAWN = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


@dataclass(frozen=True)
class Stop:
    """An element that the Tab key reaches; ``box`` is (left, top, width, height) in the window."""

    number: int
    tag: str
    label: str
    id: str
    kind: str
    href: str
    box: tuple


def stops(page, most=MOST_STOPS):
    """[Stop] from the first press of Tab on, until the page is through or ``most`` are found."""
    found = []
    while len(found) < most:
        page.keyboard.press("Tab")
        stop = page.evaluate(STOP)
        if stop is None or stop["number"] <= len(found):
            return found
        found.append(Stop(**{**stop, "box": tuple(stop["box"])}))
    return found


def _clip(page, stop):
    """The part of the window with the element and its outline; None where less than half of it is in the window."""
    size = page.viewport_size
    clip = {}
    for start, length, window in ((0, "width", size["width"]), (1, "height", size["height"])):
        first, extent = stop.box[start], stop.box[start + 2]
        inside = min(window, first + extent) - max(0, first)
        if inside < 0.5 * min(extent, window):
            return None
        begin, end = max(0, first - MARGIN), min(window, first + extent + MARGIN)
        clip.update({"xy"[start]: begin, length: end - begin})
    return clip


def unseen(page, most):
    """Names of the first ``most`` stops whose focus cannot be seen: out of the window, or not a pixel changes."""
    found, last = [], 0
    page.add_style_tag(content=AT_ONCE)
    for _ in range(most):
        page.keyboard.press("Tab")
        page.evaluate(DRAWN)
        stop = page.evaluate(STOP)
        if stop is None or stop["number"] <= last:
            break
        stop, last = Stop(**{**stop, "box": tuple(stop["box"])}), stop["number"]
        clip, name = _clip(page, stop), f"{stop.tag} '{stop.label}' {stop.kind}"
        if clip is None:
            found.append(f"{name}: not in the window")
            continue
        focused = page.screenshot(clip=clip, caret="hide")
        page.evaluate("document.activeElement.blur()")  # the next Tab goes on from here all the same
        page.evaluate(DRAWN)
        if page.screenshot(clip=clip, caret="hide") == focused:
            found.append(f"{name}: not a pixel changes")
    return found
