"""``python -m gluon_resnet`` and the console script; prints one line if the command line cannot be loaded."""

import sys

from .machine import env, system


def main() -> None:
    """Run the command line; exit with 2 if a package is missing."""
    try:
        from .cli import main as run
    except ImportError as error:
        print(f"gluon-resnet: {error}; run: {system.install_command(env.mxnet_build()[0])}", file=sys.stderr)
        sys.exit(2)
    run()


if __name__ == "__main__":
    main()
