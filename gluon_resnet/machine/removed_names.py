"""Names that newer Pythons and NumPys removed and mxnet 1.9.1 uses; a file of its own, which the workers import alone.

restore_removed_names()        # before mxnet is imported
"""

import sys
from importlib import metadata

#: Names that NumPy 1.24 removed and mxnet 1.9.1 and gluoncv still use (apache/mxnet #21165).
NUMPY_ALIASES = {"bool": bool, "int": int, "float": float, "complex": complex, "object": object, "str": str}


def restore_removed_names() -> None:
    """Restore what newer Pythons and NumPys removed and mxnet uses: ``distutils`` (3.12), ``np.bool`` etc. (1.24)."""
    # Imported only if they are needed: they take time, and doctor has to run without them.
    if sys.version_info >= (3, 12):
        import setuptools  # noqa: F401  brings distutils back

    if tuple(int(part) for part in metadata.version("numpy").split(".")[:2]) >= (1, 24):
        import numpy

        for name, value in NUMPY_ALIASES.items():
            if name not in vars(numpy):
                setattr(numpy, name, value)
