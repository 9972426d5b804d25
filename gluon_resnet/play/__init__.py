"""Play a book's chapter: its own cells, unchanged, run here, with the lines that it prints next to ours.

    gluon-resnet play chapter_convolutional-modern/resnet.md

formats.py and pasted.py read a file into cells, runner.py runs them in a kernel of their own, which kernel.py prepares,
verdicts.py compares, and page.py writes the result.
"""
