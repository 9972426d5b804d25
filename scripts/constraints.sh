#!/bin/sh
# Write constraints.txt: one version of every package below requirements*.txt, for Python 3.8 to 3.13.
set -e
cd "$(dirname "$0")/.."
{
    echo "# Every package below those of requirements*.txt at one version, for Python 3.8 to 3.13: installs are quick and"
    echo "# come out the same tomorrow. Made by: make constraints"
    { cat requirements.txt requirements-dev.txt requirements-book.txt; printf '%s\n' opencv-python==4.11.0.86 protobuf==5.29.5 joblib==1.4.2 threadpoolctl==3.5.0 \
        'contourpy==1.3.1 ; python_version >= "3.12"'; } |
        uv pip compile -q --universal --fork-strategy fewest --no-annotate --no-header --python-version 3.8 -
} > constraints.new
mv constraints.new constraints.txt
