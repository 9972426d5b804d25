"""The curves of a run as SVG elements, with text that can be selected and the colours of the page.

    loss, accuracies = curves(history)

matplotlib draws them. Its colours become the custom properties --series-1, --series-2, --line and --surface, which the
page sets for light and for dark screens (templates/report.css).
"""

import io
import re
from typing import Any, List, Match, Optional, Tuple

import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure

from ..figures import new_figure
from ..text import count
from ..training.curves import plot_accuracies, plot_loss, plot_rates, rates

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
SIZE = 4.6, 3.1  # inches: legible without zooming on a telephone


def inline_svg(figure: Figure, name: str, label: str) -> str:
    """A matplotlib Figure as an <svg> element for an HTML page.

    Args:
        figure: the figure.
        name: is put before all ids, so that a page can have several figures.
        label: what screen readers say, a text without markup.
    """
    stream = io.StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(stream, format="svg", metadata=NO_METADATA)
    text = stream.getvalue()
    text = text[text.index("<svg") :].replace("xlink:href", "href")
    text = re.sub(r"<style.*?</style>|<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r' xmlns(:\w+)?="[^"]*"| version="[^"]*"', "", text)
    used = {link or url for link, url in re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', text)}

    def renamed(match: Match[str]) -> str:
        return f' id="{name}-{match[1]}"' if match[1] in used else ""

    text = re.sub(r' id="([^"]+)"', renamed, text)
    text = re.sub(r'(href="#|url\(#)', rf"\g<1>{name}-", text)
    text = re.sub("|".join(COLOURS), lambda match: COLOURS[match[0]], text)
    box = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', text)
    assert box is not None  # matplotlib always writes one
    width, height = box.groups()
    text = re.sub(
        r'<svg width="[^"]*" height="[^"]*"',
        f'<svg role="img" aria-label="{label}" width="{float(width):.0f}" height="{float(height):.0f}"',
        text,
        count=1,
    )
    return text.strip()


def _span(name: str, history: pd.DataFrame, column: str, form: str = ".3f") -> str:
    """``name from 1.234 to 0.567``: the first and the last value of a column."""
    values = history[column].dropna()
    if not len(values):  # the loss of a run that diverged at once
        return f"{name}: no number"
    return f"{name} from {values.iloc[0]:{form}} to {values.iloc[-1]:{form}}"


def curves(history: pd.DataFrame, num_epochs: Optional[int] = None, tested: str = "test") -> List[Tuple[str, str]]:
    """[(caption, <svg> element)] of losses, accuracies and rates that change; empty without a history.

    ``history`` has the columns of training/history.py, all numbers; ``num_epochs`` is the number of epochs asked for,
    ``tested`` what the part is called that was tested on.
    """
    if not len(history):
        return []
    accuracies = [_span("train accuracy", history, "train_acc")]
    if history["test_acc"].notna().any():
        accuracies.append(_span(f"{tested} accuracy", history, "test_acc"))
    losses = [_span("Training loss", history, "loss")]
    if history["test_loss"].notna().any():
        losses.append(_span(f"{tested} loss", history, "test_loss"))
    last = history["position"].max()
    over = f"over {count(int(last), 'epoch') if last == int(last) else f'{last:g} epochs'}"
    plots: List[Tuple[str, Any, str]] = [
        ("loss", plot_loss, ", ".join(losses)),
        ("accuracy", plot_accuracies, f"Accuracies: {', '.join(accuracies)}"),
    ]
    if len(rates(history)) > 1:
        plots.append(("rate", plot_rates, _span("Learning rate", history, "lr", ".3g")))
    figures = []
    for name, plot, caption in plots:
        figure = new_figure(*SIZE)
        plot(figure.subplots(), history, num_epochs, tested)
        figures.append((caption, inline_svg(figure, name, f"{caption}, {over}")))
    return figures
