# gluon-resnet on a CPU:
#     docker build -t gluon-resnet .
#     docker run --rm -it gluon-resnet gluon-resnet shapes resnet18
# For NVIDIA's GPUs write [cu112] in the place of [cpu] below (3.7 GB more), and run with --gpus all. The CUDA libraries
# come from PyPI, so the base stays the same; the machine needs NVIDIA's driver and container toolkit.

# Debian 12 has Python 3.11, for which there are wheels of all packages. The libraries are for mxnet (two) and OpenCV (two).
FROM debian:bookworm-20250520-slim AS base
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3 python3-venv libgomp1 libquadmath0 libgl1 libglib2.0-0 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --shell /bin/bash reader

# For work on the suite itself: .devcontainer/devcontainer.json
FROM base AS development
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates git make \
    && rm -rf /var/lib/apt/lists/*

FROM development AS wheel
COPY . /source
RUN python3 -m venv /build && /build/bin/pip wheel --no-cache-dir --no-deps -w /dist /source

FROM base
COPY --from=wheel /dist /dist
RUN python3 -m venv /opt/gluon-resnet \
    && /opt/gluon-resnet/bin/pip install --no-cache-dir "$(ls /dist/*.whl)[cpu]"
ENV PATH=/opt/gluon-resnet/bin:$PATH
USER reader
WORKDIR /home/reader
RUN gluon-resnet doctor
CMD ["gluon-resnet", "doctor"]
