"""The version of the suite, for the package and for setuptools."""

VERSION = "0.1.0"
