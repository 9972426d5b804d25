#!/bin/sh
# Write constraints.txt and requirements-below.txt: one version of every package below requirements*.txt, for Python 3.8 to 3.13.
set -e
cd "$(dirname "$0")/.."
compile="uv pip compile -q --universal --fork-strategy fewest --no-annotate --no-header --python-version 3.8"
{
    echo "# Every package below those of requirements*.txt at one version, for Python 3.8 to 3.13: installs are quick and"
    echo "# come out the same tomorrow. Made by: make constraints"
    { cat requirements.txt requirements-dev.txt requirements-book.txt; printf '%s\n' opencv-python==4.11.0.86 protobuf==5.29.5 joblib==1.4.2 threadpoolctl==3.5.0 \
        'contourpy==1.3.1 ; python_version >= "3.12"'; } |
        $compile -
} > constraints.new
mv constraints.new constraints.txt
{
    echo "# Every package below those of requirements.txt, as in constraints.txt: the extras of the wheel name them, too, as pip takes"
    echo "# more than ten minutes on Python 3.8 to find versions that fit together. Made by: make constraints"
    $compile -c constraints.txt $(sed -n 's/^\([A-Za-z][^= ]*\)==.*/--no-emit-package \1/p' requirements.txt) requirements.txt
} > requirements-below.new
mv requirements-below.new requirements-below.txt
