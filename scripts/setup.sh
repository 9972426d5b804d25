#!/bin/sh
# Make the virtual environment FOLDER and install requirements files into it, with the suite itself:
#     scripts/setup.sh FOLDER REQUIREMENTS... [-- PYTHON]
# Does nothing that has been done before: a stamp a file in FOLDER remembers what was installed.
set -e
cd "$(dirname "$0")/.."
folder=$1; shift
fresh=
while [ $# -gt 0 ] && [ "$1" != -- ]; do
    if [ "$(cat "$1" constraints.txt pyproject.toml "$0" | sha256sum)" != "$(cat "$folder/.installed-$1" 2>/dev/null)" ]; then
        fresh="$fresh $1"
    fi
    shift
done
[ -n "$fresh" ] || exit 0
if ! "$folder/bin/python" -m pip --version >/dev/null 2>&1; then
    python=$2
    [ -n "$python" ] || python=$(sh scripts/find-python.sh) || exit 1
    # mxnet's wheel brings neither of these two libraries
    for library in libgomp.so.1 libquadmath.so.0; do
        if ! PATH=$PATH:/sbin:/usr/sbin ldconfig -p | grep -q "$library"; then
            echo "gluon-resnet: mxnet needs $library: run 'apt-get install libgomp1 libquadmath0' as root" >&2
            exit 1
        fi
    done
    # NumPy 1.26.4 has no wheel for Python 3.13: pip compiles it
    if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 13))' && ! { command -v gcc && command -v g++; } >/dev/null; then
        echo "gluon-resnet: on Python 3.13 NumPy is compiled: run 'apt-get install gcc g++ python3-dev' as root, or take another with PYTHON=" >&2
        exit 1
    fi
    echo "making $folder with $python"
    "$python" -m venv --clear "$folder"
fi
echo "installing$fresh into $folder (once; a minute or two)"
pip="$folder/bin/python -m pip --disable-pip-version-check -qq"
if ! $pip install 'pip>=21.3' --no-index 2>/dev/null; then
    $pip install pip==24.0  # older ones cannot install a pyproject.toml in place
fi
$pip install -c constraints.txt $(for file in $fresh; do echo "-r $file"; done)
if "$folder/bin/python" -c 'import sys; sys.exit(sys.version_info < (3, 12))'; then
    $pip install --no-deps d2l==1.0.3  # its own pins end at Python 3.11
fi
$pip install --no-deps -e .
for file in $fresh; do
    cat "$file" constraints.txt pyproject.toml "$0" | sha256sum > "$folder/.installed-$file"
done
