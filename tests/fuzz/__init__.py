"""Hostile input: what every parser of outside bytes does with it, in a child process under limits.

targets.py names the parsers, sandbox.py runs one on one input, hostile.py makes the inputs that once did harm, and
``make fuzz`` (__main__.py) looks for more.
"""
