"""What every drawing of curves must keep to."""

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.legend import Legend

PIXEL = 1.0  # corners may differ by rounding


def assert_curves_in_the_frame_and_legends_outside(figure):
    """Every point of every line is within its axes, and no legend lies over the axes; all of them in the picture."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    legends = [legend.get_window_extent(renderer) for legend in figure.findobj(Legend)]
    assert legends
    for axes in figure.findobj(Axes):
        frame = axes.get_window_extent(renderer)
        for line in axes.get_lines():
            points = line.get_transform().transform(line.get_xydata())
            assert (points >= (frame.x0 - PIXEL, frame.y0 - PIXEL)).all(), line.get_label()
            assert (points <= (frame.x1 + PIXEL, frame.y1 + PIXEL)).all(), line.get_label()
        assert not any(legend.overlaps(frame) for legend in legends)
    for legend in legends:
        assert 0 <= legend.x0 <= legend.x1 <= figure.bbox.x1 and 0 <= legend.y0 <= legend.y1 <= figure.bbox.y1
