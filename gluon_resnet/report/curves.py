"""The curves of a run as SVG inside a page: its texts are texts, its colours those of the page.

    loss, accuracies = curves(history)

matplotlib draws them; its colours become the custom properties --series-1, --series-2, --line and --surface, which the
page sets for a light and for a dark screen (templates/report.css).
"""

import io
import re

from matplotlib import rc_context

from ..figures import new_figure
from ..training.curves import plot_accuracies, plot_loss

#: matplotlib's colour -> the page's
COLOURS = {
    "#000000": "currentColor",
    "#ffffff": "var(--surface)",
    "#1f77b4": "var(--series-1)",
    "#ff7f0e": "var(--series-2)",
    "#b0b0b0": "var(--line)",
    "#cccccc": "var(--line)",
}
NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))
SIZE = 4.6, 3.1  # inches: legible without zooming where a telephone is as wide


def inline_svg(figure, name, label):
    """A matplotlib Figure as an <svg> element for an HTML page, read out as ``label``, which holds no markup.

    ``name`` is put before its ids, so that one page can have several.
    """
    stream = io.StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(stream, format="svg", metadata=NO_METADATA)
    text = stream.getvalue()
    text = text[text.index("<svg") :].replace("xlink:href", "href")
    text = re.sub(r"<style.*?</style>|<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r' xmlns(:\w+)?="[^"]*"| version="[^"]*"', "", text)
    used = set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', text))
    used = {one or other for one, other in used}
    text = re.sub(r' id="([^"]+)"', lambda found: f' id="{name}-{found[1]}"' if found[1] in used else "", text)
    text = re.sub(r'(href="#|url\(#)', rf"\g<1>{name}-", text)
    text = re.sub("|".join(COLOURS), lambda found: COLOURS[found[0]], text)
    width, height = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', text).groups()
    text = re.sub(
        r'<svg width="[^"]*" height="[^"]*"',
        f'<svg role="img" aria-label="{label}" width="{float(width):.0f}" height="{float(height):.0f}"',
        text,
        count=1,
    )
    return text.strip()


def _span(name, history, column):
    """``name from 1.234 to 0.567``: the first and the last value of a column."""
    values = history[column].dropna()
    if not len(values):  # the loss of a run that diverged at once
        return f"{name}: no number"
    return f"{name} from {values.iloc[0]:.3f} to {values.iloc[-1]:.3f}"


def curves(history, num_epochs=None):
    """[(caption, <svg>)] of the loss and of the accuracies over epochs; none without a history.

    ``history`` is a table of numbers with the columns of history.py, ``num_epochs`` how many were asked for.
    """
    if not len(history):
        return []
    accuracies = [_span("train accuracy", history, "train_acc")]
    if history["test_acc"].notna().any():
        accuracies.append(_span("test accuracy", history, "test_acc"))
    found = []
    for name, plot, caption in (
        ("loss", plot_loss, _span("Training loss", history, "loss")),
        ("accuracy", plot_accuracies, f"Accuracies: {', '.join(accuracies)}"),
    ):
        figure = new_figure(*SIZE)
        plot(figure.subplots(), history, num_epochs)
        found.append((caption, inline_svg(figure, name, f"{caption}, over {history['position'].max():g} epochs")))
    return found
