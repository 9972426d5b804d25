"""Pictures of what was measured. Figures are made without pyplot, so nothing here needs a screen or a notebook."""
import io
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator


def draw_curves(history, num_epochs=None, title=None):
    """Loss and accuracies over epochs, side by side, as a matplotlib Figure.

    ``history`` is a DataFrame with position (epochs done), loss, train_acc and test_acc (empty between epochs).
    """
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    plot_loss(left, history, num_epochs)
    plot_accuracies(right, history, num_epochs)
    if title:
        figure.suptitle(title, fontsize=9, wrap=True)
    return figure


def plot_loss(axes, history, num_epochs=None):
    """The training loss of :func:`draw_curves` on one matplotlib Axes."""
    axes.plot(history["position"], history["loss"], label="train loss", color="tab:blue")
    _over_epochs(axes, "loss", history, num_epochs)


def plot_accuracies(axes, history, num_epochs=None):
    """Both accuracies of :func:`draw_curves` on one matplotlib Axes."""
    tested = history[history["test_acc"].notna()]
    axes.plot(history["position"], history["train_acc"], label="train acc", color="tab:blue")
    axes.plot(tested["position"].astype(float), tested["test_acc"].astype(float), "o--", label="test acc",
              color="tab:orange", clip_on=False)
    _over_epochs(axes, "accuracy", history, num_epochs)


def _over_epochs(axes, ylabel, history, num_epochs):
    axes.set(xlabel="epoch", ylabel=ylabel)
    axes.set_xlim(0, num_epochs or max(1, history["position"].max() if len(history) else 1))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    axes.legend()


def draw_predictions(views, table, num_columns=2):
    """Pictures (N, H, W, 3) uint8 beside bars of the classes that a table of predict.py gives them, as a Figure."""
    top = len(table) // len(views)
    num_rows = -(-len(views) // num_columns)
    longest = max(len(label) for label in table["label"])
    figure = Figure(figsize=(num_columns * (5 + 0.08 * longest), 2.6 * num_rows), layout="constrained")
    FigureCanvasAgg(figure)
    cells = figure.subplots(num_rows, 2 * num_columns, squeeze=False,
                            gridspec_kw={"width_ratios": [1, 1.1] * num_columns}).reshape(-1, 2)
    for i, ((left, right), view) in enumerate(zip(cells, views)):
        rows = table[i * top:(i + 1) * top].iloc[::-1]
        left.imshow(view)
        left.set_title(Path(rows["image"].iloc[0]).name, fontsize=9)
        bars = right.barh(range(len(rows)), rows["probability"], color="tab:blue")
        right.bar_label(bars, [f"{value:.3f}" for value in rows["probability"]], padding=3, fontsize=8)
        right.set(xlim=(0, 1.2), yticks=range(len(rows)), yticklabels=rows["label"], xticks=(0, 0.5, 1))
        right.tick_params(labelsize=8)
        right.spines[["top", "right"]].set_visible(False)
    for left, right in cells:
        left.axis("off")
    for _, right in cells[len(views):]:
        right.axis("off")
    return figure


def as_png(figure, dpi=110):
    """The bytes of ``figure`` as a PNG picture."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=dpi)
    return stream.getvalue()
