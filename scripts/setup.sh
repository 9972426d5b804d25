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
if [ ! -x "$folder/bin/python" ]; then
    python=$2
    [ -n "$python" ] || python=$(sh scripts/find-python.sh) || exit 1
    echo "making $folder with $python"
    "$python" -m venv "$folder"
fi
echo "installing$fresh into $folder (once; a minute or two)"
pip="$folder/bin/python -m pip --disable-pip-version-check -qq"
$pip install -c constraints.txt $(for file in $fresh; do echo "-r $file"; done)
if "$folder/bin/python" -c 'import sys; sys.exit(sys.version_info < (3, 12))'; then
    $pip install --no-deps d2l==1.0.3  # its own pins end at Python 3.11
fi
$pip install --no-deps -e .
for file in $fresh; do
    cat "$file" constraints.txt pyproject.toml "$0" | sha256sum > "$folder/.installed-$file"
done
