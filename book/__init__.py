"""The machinery of the book.

run.py executes chapters, weave.py makes the Chinese ones, assemble.py and conf.py build the HTML, links.py checks it.
"""
