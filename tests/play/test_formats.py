"""The same small chapter in each format: cells, lines, tabs and printed lines, as written down here."""

import json

from gluon_resnet.errors import DataError
from gluon_resnet.play import formats
from gluon_resnet.play.cells import Cell

import nbformat
import pytest

IMPORT = "from mxnet import np, npx\nnpx.set_np()"
WALK = "X = np.ones((2, 3))\nX.shape"


def notebook(path, *cells, **metadata):
    content = nbformat.v4.new_notebook(cells=list(cells))
    path.write_text(nbformat.writes(content))
    return path


def code(source, printed=None, **metadata):
    outputs = [nbformat.v4.new_output("execute_result", {"text/plain": printed}, execution_count=1)] if printed else []
    return nbformat.v4.new_code_cell(source, outputs=outputs, metadata=metadata)


def test_a_notebook(tmp_path):
    stream = nbformat.v4.new_output("stream", name="stdout", text="loss 0.5, train acc 0.8\n")
    figure = nbformat.v4.new_output("display_data", {"text/plain": "<Figure size 1x1>", "image/png": "AA=="})
    cell = nbformat.v4.new_code_cell("train()", outputs=[stream, figure])
    path = notebook(
        tmp_path / "a.ipynb", nbformat.v4.new_markdown_cell("# Title"), code(IMPORT), code(WALK, "(2, 3)"), cell
    )
    chapter = formats.read(path)
    assert chapter.form == "notebook" and not chapter.classic
    assert [(one.source, one.printed, one.heading) for one in chapter.cells] == [
        (IMPORT, "", "Title"),
        (WALK, "(2, 3)", "Title"),
        ("train()", "loss 0.5, train acc 0.8\n", "Title"),
    ]
    lines = path.read_text().splitlines()
    assert ["from mxnet" in lines[chapter.cells[0].line - 1], "X = np.ones" in lines[chapter.cells[1].line - 1]] == [
        True
    ] * 2


D2L = """# Chapter
```{.python .input}
from mxnet import np, npx
npx.set_np()
```

```{.python .input}
#@tab pytorch
import torch
```

```{.python .input  n=3}
#@tab mxnet, tensorflow
X = np.ones((2, 3))
X.shape
```

```{.json .output n=3}
[{"data": {"text/plain": "(2, 3)"}, "execution_count": 3, "metadata": {}, "output_type": "execute_result"}]
```

## Next
```{.python .input}
%%tab all
print(1)
```

```bash
pip install d2l
```
"""


def test_d2ls_markdown(tmp_path):
    path = tmp_path / "chapter.md"
    path.write_text(D2L)
    chapter = formats.read(path)
    assert chapter.left_out == {"pytorch": 1}
    assert [(one.heading, one.printed) for one in chapter.cells] == [
        ("Chapter", ""),
        ("Chapter", "(2, 3)"),
        ("Next", ""),
    ]
    assert [D2L.splitlines()[one.line - 1] for one in chapter.cells] == [
        "from mxnet import np, npx",
        "#@tab mxnet, tensorflow",
        "%%tab all",
    ]
    assert chapter.cells[1].source == "#@tab mxnet, tensorflow\nX = np.ones((2, 3))\nX.shape"


MYST = """---
kernelspec: {name: python3}
---
# Title

::::{tab-set}
:::{tab-item} MXNet
```{code-cell} ipython3
:tags: [remove-output]

from mxnet import np
```
:::
:::{tab-item} PyTorch
```{code-cell} ipython3
import torch
```
:::
::::

````{code-cell}
print('''
```
''')
````

```{code-block} python
only shown
```

```{code-cell}
---
tags: [raises-exception]
---
1 / 0
```
"""


def test_myst(tmp_path):
    path = tmp_path / "chapter.md"
    path.write_text(MYST)
    chapter = formats.read(path)
    assert chapter.left_out == {"pytorch": 1}
    assert [one.source.strip() for one in chapter.cells] == [
        "from mxnet import np",
        "print('''\n```\n''')",
        "1 / 0",
    ]
    assert [one.may_fail for one in chapter.cells] == [False, False, True]
    assert path.read_text().splitlines()[chapter.cells[0].line - 1 :][1] == "from mxnet import np"


def test_a_blog_in_markdown_has_its_output_in_a_block_of_its_own(tmp_path):
    path = tmp_path / "blog.md"
    path.write_text("Text.\n\n```python\nfrom mxnet import nd\nnd.ones(2).shape\n```\n\n```\n(2,)\n```\n")
    (cell,) = formats.read(path).cells
    assert cell == Cell("from mxnet import nd\nnd.ones(2).shape", 4, "(2,)", "")


@pytest.mark.parametrize(
    "text",
    [
        "# %% [markdown]\n# # Title\n\n# %%\nfrom mxnet import np\n\n# %%\n# %matplotlib inline\nprint(np.ones(1))\n",
        "# # Title\n\nfrom mxnet import np\n\n# +\n# %matplotlib inline\nprint(np.ones(1))\n",
    ],
)
def test_jupytexts_scripts(tmp_path, text):
    path = tmp_path / "chapter.py"
    path.write_text(text)
    cells = formats.read(path).cells
    assert [one.source for one in cells] == ["from mxnet import np", "%matplotlib inline\nprint(np.ones(1))"]
    assert text.splitlines()[cells[0].line - 1] == "from mxnet import np" and {one.heading for one in cells} == {
        "Title"
    }


def test_a_script_in_another_encoding(tmp_path):
    text = "#!/usr/bin/env python\n# -*- coding: gbk -*-\n# 注释\nfrom mxnet import nd\nprint('残差')\n"
    (tmp_path / "a.py").write_bytes(text.encode("gbk"))
    (cell,) = formats.read(tmp_path / "a.py").cells
    assert cell.source == "# 注释\nfrom mxnet import nd\nprint('残差')" and cell.line == 3


ARTICLE = """ResNet,用mxnet演示

安装:

pip install d2l==0.14.3

一个块

from mxnet import np, npx
npx.set_np()

class Block:
    # 注释
    def name(self):
        return 'b'

    def shape(self):
        return (1, 2)

设计一下block结构

b = Block()
b.shape()
(1, 2)

Next we print the sizes. Note: they are small.

for layer in ('conv0', 'conv1'):
    print(layer, 'output shape:\\t',
          b.shape())
conv0 output shape:  (1, 2)
conv1 output shape:  (1, 2)

train(b,
      lr=0.1)
loss 0.010, train acc 0.998, test acc 0.907
4886.6 examples/sec on gpu(0)

  • 2
    点赞
"""


def test_an_article_without_fences(tmp_path):
    path = tmp_path / "article.txt"
    path.write_text(ARTICLE, encoding="utf-8")
    chapter = formats.read(path)
    lines = ARTICLE.splitlines()
    assert chapter.form == "text"
    sources = [one.source for one in chapter.cells]
    assert sources == [
        "pip install d2l==0.14.3",
        "\n".join(lines[8:18]),
        "b = Block()\nb.shape()",
        "\n".join(lines[27:30]),
        "train(b,\n      lr=0.1)",
    ]
    assert [lines[one.line - 1] for one in chapter.cells] == [source.splitlines()[0] for source in sources]
    assert [one.printed.splitlines()[0] for one in chapter.cells[2:]] == ["(1, 2)", lines[30], lines[35]]


def test_prompts_of_a_copied_notebook(tmp_path):
    path = tmp_path / "copied.txt"
    path.write_text(
        "In [1]: from mxnet import nd\nIn [2]: nd.ones((1, 2)).shape\nOut[2]: (1, 2)\n\n>>> x = 1\n>>> x\n1\n"
    )
    cells = formats.read(path).cells
    assert [(one.source, one.printed) for one in cells] == [
        ("from mxnet import nd\nnd.ones((1, 2)).shape", "(1, 2)"),
        ("x = 1\nx", "1"),
    ]


@pytest.mark.parametrize(
    "name, text, words",
    [
        ("a.ipynb", "not json {", "not a notebook: expected JSON"),
        ("a.ipynb", "[1, 2]", "not a notebook"),
        ("a.ipynb", '{"a": 1}', "not a notebook"),
        ("a.md", "# Only text\n", "no code cells: expected a chapter with cells of Python code"),
        ("a.md", "```{.python .input}\n#@tab pytorch\nimport torch\n```\n" * 9, "no MXNet cells: 9 of 9 are pytorch"),
        ("a.md", "```python\nimport torch\n```\n```python\ntorch.ones(1)\n```\n", "no MXNet cells: 2 of 2 are pytorch"),
    ],
)
def test_what_is_no_mxnet_chapter_is_one_line(tmp_path, name, text, words):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(DataError) as error:
        formats.read(path)
    assert str(error.value).startswith(f"{path}: ") and words in str(error.value) and "\n" not in str(error.value)


def test_which_import_d2l_means(tmp_path):
    def classic(source):
        path = notebook(tmp_path / "a.ipynb", code(source))
        return formats.read(path).classic

    assert classic("import d2l\nfrom mxnet import autograd, nd")
    assert not classic("import d2l\nfrom mxnet import autograd, np, npx")
    assert not classic("from d2l import mxnet as d2l\nfrom mxnet import gluon")
    assert not classic("import d2l")
    assert classic(
        "import d2l\nfrom mxnet import gluon, init\nd2l.train_ch3(net, a, b, loss, 5, 256, None, None, trainer)"
    )
    assert not classic("import d2l\nfrom mxnet import gluon\nd2l.use_svg_display()\nd2l.Timer()")


def test_an_old_notebook_is_read(tmp_path):
    cell = {
        "cell_type": "code",
        "collapsed": False,
        "input": "import mxnet",
        "language": "python",
        "metadata": {},
        "outputs": [],
    }
    content = {"metadata": {"name": ""}, "nbformat": 3, "nbformat_minor": 0, "worksheets": [{"cells": [cell]}]}
    (tmp_path / "old.ipynb").write_text(json.dumps(content))
    assert [one.source for one in formats.read(tmp_path / "old.ipynb").cells] == ["import mxnet"]
