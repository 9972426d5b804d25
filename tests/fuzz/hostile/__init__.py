"""Inputs that once did harm, each made by a few lines: most took gigabytes, a minute, or ended in a traceback."""

from tests.fuzz.hostile import pickles, pictures, records, texts, weights  # noqa: F401  they fill the registry
