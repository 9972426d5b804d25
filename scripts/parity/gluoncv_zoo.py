"""Random networks of gluoncv and MXNet's zoo: .venv/bin/python scripts/parity/gluoncv_zoo.py FOLDER"""

import sys

import gluon_resnet  # noqa: F401  before mxnet, as everywhere

import mxnet as mx
from cases import CASES
from common import Random, case_folder, pictures, save
from gluoncv import model_zoo
from mxnet import nd


def fill(net, seed):
    """Draw every parameter and running statistic of ``net``, whose shapes are known."""
    random = Random(seed)
    for name, param in net.collect_params().items():
        shape, kind = param.shape, name.rpartition("_")[2]
        if kind == "weight":
            values = random.weight(shape, param.data()[0].size)
        elif kind == "gamma":
            values = random.gamma(shape)
        elif kind == "var":
            values = random.variance(shape)
        elif kind in ("bias", "beta", "mean"):
            values = random.bias(shape)
        else:
            raise SystemExit(f"{name}: a parameter of a kind not known here")
        param.set_data(nd.array(values))


def build(case):
    """The network of a case, in gluoncv v1, gluoncv v1b or MXNet's zoo."""
    depth = int(case.rpartition("resnet")[2])
    if case.startswith("mxnet-zoo"):
        return mx.gluon.model_zoo.vision.get_model(f"resnet{depth}_v1")
    return model_zoo.get_model(f"resnet{depth}_{case.partition('-')[0]}", pretrained=False)


def main(folder):
    for seed, (case, (_, files)) in enumerate(CASES["gluoncv"].items()):
        path, X = case_folder(folder, "gluoncv", case), nd.array(pictures(seed))
        net = build(case)
        net.initialize()
        net(X)
        fill(net, seed)
        net.hybridize()
        y_hat = net(X).asnumpy()
        net.save_parameters(str(path / "net.params"))
        if "net-0000.params" in files:
            net.export(str(path / "net"))
        save(path, X.asnumpy(), y_hat)


if __name__ == "__main__":
    main(sys.argv[1])
