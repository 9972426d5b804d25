#!/bin/sh
# make bench: training and predicting, measured into bench/, with PyTorch's rows where requirements-bench.txt can be installed.
cd "$(dirname "$0")/.."
torch=
if python=$(PYTHON= sh scripts/find-python.sh 3.11 2>/dev/null); then
    if [ ! -x .venv-bench/bin/python ]; then
        "$python" -m venv .venv-bench
        echo "installing requirements-bench.txt into .venv-bench (once)"
    fi
    .venv-bench/bin/python -m pip --disable-pip-version-check -qq install -r requirements-bench.txt && torch=.venv-bench/bin/python
fi
[ -n "$torch" ] || echo "no PyTorch here: its rows are left out"
"$1/bin/gluon-resnet" bench train ${torch:+--torch-python "$torch"} || exit
exec "$1/bin/gluon-resnet" bench inference ${torch:+--torch-python "$torch"}
