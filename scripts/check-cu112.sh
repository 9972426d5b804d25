#!/bin/sh
# Check what can be checked of the CUDA build without a card: install requirements-cu112.txt into FOLDER (4 GB), put a
# stub libcuda.so.1 in front where there is no driver, import mxnet, walk the shapes, and train one step on the CPU.
#     scripts/check-cu112.sh FOLDER
set -e
cd "$(dirname "$0")/.."
folder=$1
sh scripts/setup.sh "$folder" requirements-cu112.txt
if ldconfig -p 2>/dev/null | grep -q 'libcuda\.so\.1' || /sbin/ldconfig -p | grep -q 'libcuda\.so\.1'; then
    echo "NVIDIA's driver is here: using it"
else
    echo "no driver here: with a stub libcuda.so.1 that knows no device"
    mkdir -p "$folder/stub"
    "$folder/bin/python" scripts/cuda_stub.py > "$folder/stub/cuda.c"
    gcc -shared -fPIC -Wl,-soname,libcuda.so.1 -o "$folder/stub/libcuda.so.1" "$folder/stub/cuda.c"
    LD_LIBRARY_PATH=$PWD/$folder/stub${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
    export LD_LIBRARY_PATH
fi
"$folder/bin/gluon-resnet" doctor || true
"$folder/bin/gluon-resnet" shapes resnet18 --input 1,1,224,224
"$folder/bin/python" - <<'PYTHON'
import gluon_resnet as gr
from gluon_resnet.machine import fatbin

import mxnet as mx
import numpy

mx.npx.set_np()
prepared = gr.env.prepare()
assert len(prepared.cuda_libraries) == len(gr.env.CUDA_LIBRARIES), prepared.cuda_libraries
assert mx.runtime.Features().is_enabled("CUDA") and mx.runtime.Features().is_enabled("CUDNN")
assert fatbin.installed_gpu_code() == fatbin.CU112, fatbin.installed_gpu_code()
images, labels = numpy.random.randint(0, 256, (32, 28, 28)).astype("uint8"), numpy.arange(32) % 10
batches = gr.ArrayBatches(images, labels, 32)
result = gr.fit(gr.resnet18(), batches, batches, gr.Recipe(epochs=1), mx.cpu())
print(f"{len(prepared.cuda_libraries)} CUDA libraries opened, {gr.num_gpus()} GPUs, try_gpu() is {gr.try_gpu()}; "
      f"one step on the CPU: loss {result.last.loss:.3f}")
PYTHON
echo "check-cu112: passed"
