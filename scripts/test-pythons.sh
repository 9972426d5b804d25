#!/bin/sh
# Run the tests on every Python 3.8 to 3.13 found (or those in $PYTHONS), each in an environment of its own; a line each at
# the end.
cd "$(dirname "$0")/.."
report= failed=0
for version in ${PYTHONS:-3.8 3.9 3.10 3.11 3.12 3.13}; do
    if ! python=$(PYTHON= sh scripts/find-python.sh "$version" 2>/dev/null); then
        report="$report\n$version  not on this machine"
        continue
    fi
    echo "== Python $version"
    folder=.venv-py$version
    rm -f "$folder/tests.log"
    case $version in  # d2l's own pins end at 3.11; beyond, pip check has reason to complain
        3.12|3.13) check=true ;;
        *) check="$folder/bin/python -m pip --disable-pip-version-check check" ;;
    esac
    if sh scripts/setup.sh "$folder" requirements.txt requirements-dev.txt -- "$python" && $check &&
        "$folder/bin/python" -m pytest -q -p no:cacheprovider > "$folder/tests.log" 2>&1; then
        report="$report\n$version  $(tail -n 1 "$folder/tests.log")"
    else
        failed=1
        tail -n 20 "$folder/tests.log" 2>/dev/null
        report="$report\n$version  FAILED (see $folder/tests.log)"
    fi
done
printf "$report\n"
exit $failed
