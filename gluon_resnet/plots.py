"""Pictures of what was measured. Figures are made without pyplot, so nothing here needs a screen or a notebook."""
import io

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
    left.plot(history["position"], history["loss"], label="train loss", color="tab:blue")
    left.set(xlabel="epoch", ylabel="loss")
    tested = history[history["test_acc"].notna()]
    right.plot(history["position"], history["train_acc"], label="train acc", color="tab:blue")
    right.plot(tested["position"].astype(float), tested["test_acc"].astype(float), "o--", label="test acc",
               color="tab:orange", clip_on=False)
    right.set(xlabel="epoch", ylabel="accuracy")
    for axes in (left, right):
        axes.set_xlim(0, num_epochs or max(1, history["position"].max() if len(history) else 1))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.legend()
    if title:
        figure.suptitle(title, fontsize=9, wrap=True)
    return figure


def as_png(figure, dpi=110):
    """The bytes of ``figure`` as a PNG picture."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=dpi)
    return stream.getvalue()
