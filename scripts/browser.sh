#!/bin/sh
# make browser: the built book and a few reports of runs in Debian's Chromium; pictures of all pages in book/_build/screenshots.
#     sh scripts/browser.sh .venv [PYTEST'S OPTIONS...]
set -e
cd "$(dirname "$0")/.."
main=$1; shift
folder=.venv-browser
if ! command -v "${CHROMIUM:-chromium}" >/dev/null; then
    echo "gluon-resnet: no Chromium: run 'apt-get install chromium' as root, or set CHROMIUM=/path/to/chromium" >&2
    exit 1
fi
if [ ! -f book/_build/html/index.html ]; then
    echo "gluon-resnet: no book in book/_build/html: run 'make book' first" >&2
    exit 1
fi
if [ "$(cat requirements-browser.txt constraints.txt | sha256sum)" != "$(cat $folder/.installed 2>/dev/null)" ]; then
    for minor in 3.11 3.12 3.13 3.10; do
        python=$(PYTHON= sh scripts/find-python.sh $minor 2>/dev/null) && break
    done
    if [ -z "$python" ]; then
        echo "gluon-resnet: Playwright needs Python 3.10 or newer: run 'apt-get install python3 python3-venv' as root" >&2
        exit 1
    fi
    "$python" -m venv "$folder"
    echo "installing requirements-browser.txt into $folder (once)"
    "$folder/bin/python" -m pip --disable-pip-version-check -qq install -r requirements-browser.txt -c constraints.txt
    cat requirements-browser.txt constraints.txt | sha256sum > "$folder/.installed"
fi
rm -rf book/_build/screenshots
"$main/bin/python" -m book.browser.make_reports
exec "$folder/bin/python" -m pytest -q -p no:cacheprovider book/browser "$@"
