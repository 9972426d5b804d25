"""Drawings of networks and blocks as SVG, in English and Chinese; nothing here needs mxnet.

    gr.draw("resnet50@keras")                          # a notebook shows the stages
    gr.draw("cifar_resnet56:B").save("stages.svg")
    gr.draw_block("bottleneck", family="torchvision", lang="zh")
    gluon-resnet draw resnet50@keras --save stages.svg

What is drawn is read from the layout (layout.py) and counted by cost.py, so a new row of the table needs no drawing of
its own. canvas.py has boxes and text, words.py the texts in both languages, parts.py the look of a convolution;
stages.py and block.py arrange them, and picture.py is what a caller gets.
"""

from .arguments import usual_input
from .block import draw_block
from .picture import Drawing
from .stages import draw

__all__ = ["Drawing", "draw", "draw_block", "usual_input"]
