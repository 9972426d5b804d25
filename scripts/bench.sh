#!/bin/sh
# make bench: everything but pictures, measured into bench/, next to the programs of requirements-bench.txt that can be
# installed here, each part of that file in an environment of its own (3.3 GB).
cd "$(dirname "$0")/.."
main=$1
mkdir -p .venv-bench
if python=$(PYTHON= sh scripts/find-python.sh 3.11 2>/dev/null); then
    for peer in $(sed -n 's/^# \[\(.*\)\]$/\1/p' requirements-bench.txt); do
        folder=.venv-bench/$peer
        pins=.venv-bench/$peer.txt
        # the first lines of the file, and the part of this peer
        awk -v mine="# [$peer]" '/^# \[/ { part = $0 } part == "" || part == mine' requirements-bench.txt > "$pins"
        if [ "$(sha256sum < "$pins")" != "$(cat "$folder/.installed" 2>/dev/null)" ]; then
            echo "installing $peer into $folder (once)"
            "$python" -m venv --clear "$folder" &&
                "$folder/bin/python" -m pip --disable-pip-version-check -qq install -r "$pins" &&
                sha256sum < "$pins" > "$folder/.installed" ||
                { echo "$peer cannot be installed: its rows are left out"; rm -rf "$folder"; }
        fi
    done
else
    echo "no Python 3.11 here: the rows of PyTorch, TensorFlow, ONNX Runtime and OpenVINO are left out"
fi
for benchmark in train inference depth; do
    "$main/bin/gluon-resnet" bench $benchmark || exit
done
