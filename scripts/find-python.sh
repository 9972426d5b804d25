#!/bin/sh
# Print a Python 3.8 to 3.13 that can make virtual environments: $PYTHON if it is set, else the one the suite is best
# tested on. With a version ("3.12"), exactly that one. One line on standard error and exit 1 where there is none.
wanted=$1
broken=
try() {
    [ -n "$1" ] || return 1
    version=$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || return 1
    [ -z "$wanted" ] || [ "$version" = "$wanted" ] || return 1
    case $version in 3.8|3.9|3.10|3.11|3.12|3.13) ;; *) return 1 ;; esac
    if ! "$1" -c 'import venv, ensurepip' 2>/dev/null; then broken="$1 ($version)"; package="${1##*/}-venv"; return 1; fi
    "$1" -c 'import sys; print(sys.executable)'
}
if [ -n "$PYTHON" ]; then
    if try "$PYTHON"; then exit 0; fi
    echo "gluon-resnet: PYTHON=$PYTHON is no Python ${wanted:-3.8 to 3.13} that can make virtual environments: name another, or unset it" >&2
    exit 1
fi
for minor in ${wanted:-3.11 3.10 3.9 3.8 3.12 3.13}; do
    if try "python$minor"; then exit 0; fi
    for python in "$HOME/.pyenv/versions/$minor".*/bin/python /opt/python/"$minor"*/bin/python3 /usr/local/bin/python"$minor"; do
        if [ -x "$python" ] && try "$python"; then exit 0; fi
    done
done
if try python3 || try python; then exit 0; fi
if [ -n "$broken" ]; then
    echo "gluon-resnet: $broken cannot make virtual environments: run 'apt-get install $package' as root" >&2
else
    echo "gluon-resnet: no Python ${wanted:-3.8 to 3.13} found: run 'apt-get install python3 python3-venv' as root, or set PYTHON=/path/to/python" >&2
fi
exit 1
