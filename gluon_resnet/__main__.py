"""``python -m gluon_resnet`` and the console script: the command line, or one line where it cannot even be loaded."""

import sys


def main():
    """Run the command line."""
    try:
        from .cli import main as run
    except ImportError as error:
        print(
            f"gluon-resnet: {error}; run: {sys.executable} -m pip install -r requirements.txt -c constraints.txt",
            file=sys.stderr,
        )
        sys.exit(2)
    run()


if __name__ == "__main__":
    main()
