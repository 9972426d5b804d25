#!/bin/sh
# make parity: random networks of Keras, PyTorch, timm, gluoncv and MXNet's zoo, saved by the libraries themselves, read
# and compared (5 minutes on 2 cores; 3.1 GB for .venv-parity, and for a while 2.2 GB in $GLUON_RESNET_PARITY or /tmp).
#     sh scripts/parity.sh .venv [LIBRARY...]
set -e
cd "$(dirname "$0")/.."
main=$1; shift
folder=.venv-parity
if [ "$(sha256sum < requirements-parity.txt)" != "$(cat $folder/.installed 2>/dev/null)" ]; then
    python=$(PYTHON= sh scripts/find-python.sh 3.11) || exit 1
    "$python" -m venv "$folder"
    echo "installing requirements-parity.txt into $folder (once; a minute or two)"
    "$folder/bin/python" -m pip --disable-pip-version-check -qq install -r requirements-parity.txt
    sha256sum < requirements-parity.txt > "$folder/.installed"
fi
if [ -n "$GLUON_RESNET_PARITY" ]; then
    mkdir -p "$GLUON_RESNET_PARITY"
else
    GLUON_RESNET_PARITY=$(mktemp -d /tmp/gluon-resnet-parity.XXXXXX)
    trap 'rm -rf "$GLUON_RESNET_PARITY"' EXIT INT TERM
fi
export GLUON_RESNET_PARITY
export GLUON_RESNET_PARITY_PYTHON="$PWD/$folder/bin/python"
export TF_CPP_MIN_LOG_LEVEL=3 TF_ENABLE_ONEDNN_OPTS=0 CUDA_VISIBLE_DEVICES=
# one library at a time, so that the disk never holds two
for library in ${*:-keras keras2 pytorch variants cifar gluoncv}; do
    rm -rf "${GLUON_RESNET_PARITY:?}/$library"
    case $library in
        keras)
            "$folder/bin/python" scripts/parity/keras_networks.py "$GLUON_RESNET_PARITY"
            "$folder/bin/python" scripts/parity/keras_split.py "$GLUON_RESNET_PARITY/keras/split.json" ;;
        keras2) "$folder/bin/python" scripts/parity/keras2_networks.py "$GLUON_RESNET_PARITY" ;;
        pytorch | variants) "$folder/bin/python" scripts/parity/pytorch.py "$GLUON_RESNET_PARITY" "$library" ;;
        cifar) "$folder/bin/python" scripts/parity/cifar.py "$GLUON_RESNET_PARITY" ;;
        gluoncv) "$main/bin/python" scripts/parity/gluoncv_zoo.py "$GLUON_RESNET_PARITY" ;;
        *) echo "parity.sh: no library $library: expected keras, keras2, pytorch, variants, cifar, gluoncv" >&2; exit 2 ;;
    esac
    "$main/bin/python" -m pytest -q -m parity tests/parity -k "$library- or of_$library"
    rm -rf "${GLUON_RESNET_PARITY:?}/$library"
done
