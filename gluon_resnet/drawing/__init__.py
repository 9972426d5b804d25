"""Drawings of networks and blocks, as SVG made by the suite itself, in English and Chinese. Nothing here needs mxnet.

    gr.draw("resnet50@keras")                          # a notebook shows the stages
    gr.draw("cifar_resnet56:B").save("stages.svg")
    gr.draw_block("bottleneck", family="torchvision", lang="zh")
    gluon-resnet draw resnet50@keras --save stages.svg

What is drawn is read from the layout (layout.py) and counted by reconcile.py, so a new row of the table draws itself.
canvas.py knows boxes and text, words.py both languages, parts.py how a convolution looks; stages.py and block.py put
them where they belong, and picture.py is what a caller gets.
"""

from .arguments import usual_input
from .block import draw_block
from .picture import Drawing
from .stages import draw

__all__ = ["Drawing", "draw", "draw_block", "usual_input"]
