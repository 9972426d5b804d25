"""The CIFAR checkpoints of PyTorch in wide use: keys written down by hand, logits by a definition of the test's own."""

from dataclasses import replace

import gluon_resnet as gr
from gluon_resnet.data.images import PREPARATIONS, normalize
from gluon_resnet.errors import WeightsError
from gluon_resnet.networks.layout import layout
from gluon_resnet.networks.specs import parse_model
from gluon_resnet.weights import identify_weights, read_network, read_parameters

import numpy
import pytest
from PIL import Image
from safetensors.numpy import save_file

from tests.conftest import array, one_line_error, relative_error
from tests.weights.torch_files import Layers, write_torch

SIZES = {8: 1, 20: 3, 32: 5, 44: 7, 56: 9, 110: 18}  # depth -> blocks in each of the three stages


def checkpoint(depth=20, shortcut="A", projection="shortcut", head="linear", in_channels=3, seed=0):
    """{key: float32 array} of a CIFAR ResNet, keys and shapes as the usual code makes them."""
    found = Layers(seed, largest_scale=1.0, batches=64000)
    found.conv("conv1", 16, in_channels, 3)
    found.bn("bn1", 16)
    into = 16
    for stage, width in enumerate((16, 32, 64), 1):
        for block in range(SIZES[depth]):
            name = f"layer{stage}.{block}"
            found.conv(f"{name}.conv1", width, into, 3)
            found.bn(f"{name}.bn1", width)
            found.conv(f"{name}.conv2", width, width, 3)
            found.bn(f"{name}.bn2", width)
            if (shortcut == "B" and width != into) or shortcut == "C":
                found.conv(f"{name}.{projection}.0", width, into, 1)
                found.bn(f"{name}.{projection}.1", width)
            into = width
    found[f"{head}.weight"], found[f"{head}.bias"] = found.random.randn(10, 64) * 0.1, found.random.randn(10)
    return {key: numpy.asarray(values, "float32") for key, values in found.items()}


class CifarResNet:
    """The network as the paper's section 4.2 and the usual code define it, on NHWC float64, from {key: array}."""

    def __init__(self, weights, plain=False):
        self.weights, self.plain = weights, plain

    def conv(self, X, name, stride=1):
        kernel = self.weights[f"{name}.weight"].astype("float64").transpose(2, 3, 1, 0)  # (H, W, in, out)
        size, padding = len(kernel), len(kernel) // 2
        X = numpy.pad(X, ((0, 0), (padding,) * 2, (padding,) * 2, (0, 0)))
        height, width = ((side - size) // stride + 1 for side in X.shape[1:3])
        return sum(
            X[:, i : i + stride * height : stride, j : j + stride * width : stride] @ kernel[i, j]
            for i in range(size)
            for j in range(size)
        )

    def norm(self, X, name):
        gamma, beta, mean, var = (
            self.weights[f"{name}.{part}"].astype("float64")
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        return (X - mean) / numpy.sqrt(var + 1e-5) * gamma + beta

    def shortcut(self, X, name, width, stride):
        for kind in ("shortcut", "downsample"):
            if f"{name}.{kind}.0.weight" in self.weights:
                return self.norm(self.conv(X, f"{name}.{kind}.0", stride), f"{name}.{kind}.1")
        quarter = (width - X.shape[3]) // 2
        return numpy.pad(X[:, ::stride, ::stride], ((0, 0), (0, 0), (0, 0), (quarter, quarter)))

    def __call__(self, X):
        Y = numpy.maximum(self.norm(self.conv(X.transpose(0, 2, 3, 1), "conv1"), "bn1"), 0)
        for stage, width in enumerate((16, 32, 64), 1):
            block = 0
            while f"layer{stage}.{block}.conv1.weight" in self.weights:
                name, stride = f"layer{stage}.{block}", 2 if stage > 1 and block == 0 else 1
                body = numpy.maximum(self.norm(self.conv(Y, f"{name}.conv1", stride), f"{name}.bn1"), 0)
                body = self.norm(self.conv(body, f"{name}.conv2"), f"{name}.bn2")
                Y = numpy.maximum(body if self.plain else body + self.shortcut(Y, name, width, stride), 0)
                block += 1
        head = "linear" if "linear.weight" in self.weights else "fc"
        return Y.mean((1, 2)) @ self.weights[f"{head}.weight"].T + self.weights[f"{head}.bias"]


def pictures(in_channels=3):
    return numpy.random.RandomState(1).randn(2, in_channels, 32, 32).astype("float32")


def wrapped(tensors):
    """As the usual training script saves: in a dict next to the accuracy, from a DataParallel."""
    return {"state_dict": {f"module.{key}": values for key, values in tensors.items()}, "best_prec1": 91.73}


@pytest.mark.parametrize("depth", [20, 32, 44, 56, 110])
def test_every_depth_is_identified_and_every_key_used(tmp_path, depth):
    tensors = checkpoint(depth)
    write_torch(tmp_path / "net.th", wrapped(tensors), legacy=True)
    found = identify_weights(tmp_path / "net.th")
    assert (found.spec.name, found.naming, found.format) == (f"cifar_resnet{depth}", "cifar", "torch")
    assert found.in_channels == 3
    spec, params = read_network(tmp_path / "net.th", f"cifar_resnet{depth}")
    assert spec == parse_model(f"cifar_resnet{depth}")
    kept = {key: values for key, values in tensors.items() if "num_batches" not in key}
    assert len(kept) == len(params) == len(layout(spec).params())
    assert sorted(each.tobytes() for each in params.values()) == sorted(each.tobytes() for each in kept.values())
    pairs = {
        "conv1.weight": "0.weight",
        "bn1.running_var": "1.running_var",
        "layer1.0.bn1.weight": "3.0.bn1.gamma",
        "layer2.1.conv2.weight": "4.1.conv2.weight",
        "layer3.0.bn2.bias": "5.0.bn2.beta",
        "linear.bias": "7.bias",
    }
    assert all((params[ours] == tensors[key]).all() for key, ours in pairs.items())


@pytest.mark.parametrize(
    "options, name, plain",
    [
        (dict(), "cifar_resnet20", False),
        (dict(), "cifar_plain20", True),
        (dict(depth=32), "cifar_resnet32", False),
        (dict(shortcut="B"), "cifar_resnet20:B", False),
        (dict(shortcut="B", projection="downsample"), "cifar_resnet20:B", False),
        (dict(shortcut="B", projection="downsample", head="fc"), "cifar_resnet20:B", False),
        (dict(shortcut="C"), "cifar_resnet20:C", False),
        (dict(depth=8), "cifar_resnet8", False),
        (dict(in_channels=1), "cifar_resnet20", False),
    ],
)
def test_the_logits_are_those_of_the_definition(tmp_path, options, name, plain):
    tensors, X = checkpoint(**options), pictures(options.get("in_channels", 3))
    write_torch(tmp_path / "net.pt", tensors)
    net = gr.get_model(name)
    assert len(gr.load_weights(net, tmp_path / "net.pt")) == sum("batches" not in key for key in tensors)
    assert relative_error(net(array(X)).asnumpy(), CifarResNet(tensors, plain)(X)) < 1e-5


@pytest.mark.parametrize("legacy", [True, False])
@pytest.mark.parametrize(
    "wrap",
    [
        wrapped,
        dict,
        lambda tensors: {**wrapped(tensors), "best_prec1": numpy.float32([91.7])},
        lambda tensors: {"net": tensors, "acc": 91.7, "epoch": 199.0},
    ],
)
def test_all_containers_give_the_same(tmp_path, legacy, wrap):
    tensors, spec = checkpoint(), parse_model("cifar_resnet20")
    save_file(tensors, tmp_path / "net.safetensors")
    write_torch(tmp_path / "net.th", wrap(tensors), legacy)
    expected, found = (read_parameters(tmp_path / name, spec) for name in ("net.safetensors", "net.th"))
    assert all((found[name] == values).all() for name, values in expected.items()) and len(found) == len(expected)


def test_without_a_name_the_network_with_shortcuts_is_assumed_and_said_so(tmp_path, run_cli):
    write_torch(tmp_path / "net.th", wrapped(checkpoint()), legacy=True)
    found = identify_weights(tmp_path / "net.th")
    assert [spec.name for spec in found.specs] == ["cifar_resnet20", "cifar_plain20"]
    assert found.description.endswith("; a plain network has the same keys, the one with shortcuts is assumed")
    assert read_network(tmp_path / "net.th", "cifar_plain20")[0] == parse_model("cifar_plain20")
    assert read_network(tmp_path / "net.th", "cifar_resnet20")[0] == parse_model("cifar_resnet20")
    done = run_cli("reconcile", "--weights", tmp_path / "net.th")
    assert "cifar_resnet20, 3 channel(s) in, 10 classes (cifar names, torch); a plain network" in done.stdout
    assert done.stdout.splitlines()[1] == "fits cifar_plain20 as well"
    write_torch(tmp_path / "b.th", checkpoint(shortcut="B"))
    assert "assumed" not in identify_weights(tmp_path / "b.th").description


def test_a_name_without_a_shortcut_takes_the_files(tmp_path):
    write_torch(tmp_path / "b.pth", checkpoint(shortcut="B"))
    assert read_network(tmp_path / "b.pth", "cifar_resnet20")[0] == parse_model("cifar_resnet20:B")
    for model in ("cifar_resnet20:A", "cifar_plain20"):
        with pytest.raises(WeightsError, match="holds cifar_resnet20:B .* take the model cifar_resnet20:B"):
            read_network(tmp_path / "b.pth", model)
    with pytest.raises(WeightsError, match="the network is cifar_resnet20: take the model cifar_resnet20:B"):
        gr.load_weights(gr.get_model("cifar_resnet20"), tmp_path / "b.pth")


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda tensors: tensors.pop("layer2.1.bn1.weight"), r"resnet20 \(cifar names\), but layer2.1.bn1.weight is"),
        (lambda tensors: tensors.update(extra=numpy.zeros(3, "f4")), "cifar_resnet20 .* but extra is not part of it"),
        (lambda tensors: tensors.update({"linear.weight": tensors["linear.weight"][:, :32]}), r"has shape \(10, 32\)"),
        (lambda tensors: tensors.update({"conv1.weight": numpy.zeros((16, 3, 7, 7), "f4")}), r"conv1.weight has shape"),
        (lambda tensors: [tensors.pop(f"layer3.2.{part}") for part in ("conv1.weight", "bn1.bias")], "and 1 more are"),
    ],
)
def test_keys_missing_left_over_and_misshapen_in_one_line(tmp_path, change, words):
    tensors = checkpoint()
    change(tensors)
    write_torch(tmp_path / "net.th", wrapped(tensors))
    for read in (identify_weights, lambda path: read_network(path, "cifar_resnet20")):
        with pytest.raises(WeightsError, match=words) as refusal:
            read(tmp_path / "net.th")
        assert str(tmp_path / "net.th") in str(refusal.value) and "\n" not in str(refusal.value)


def test_another_depth_and_a_fresh_head(tmp_path):
    write_torch(tmp_path / "net.th", checkpoint())
    with pytest.raises(WeightsError, match="holds cifar_resnet20 .* the network is cifar_resnet32"):
        read_network(tmp_path / "net.th", "cifar_resnet32")
    write_torch(tmp_path / "8.th", checkpoint(8))  # in no table: the name says how deep it is
    assert read_network(tmp_path / "8.th", "cifar_resnet8")[0] == parse_model("cifar_resnet8")
    with pytest.raises(WeightsError, match="holds cifar_resnet20 .* the network is resnet18@d2l"):
        read_network(tmp_path / "net.th", "resnet18")
    spec, params = read_network(tmp_path / "net.th", "cifar_resnet20", num_classes=4, new_head=True)
    assert spec == replace(parse_model("cifar_resnet20"), num_classes=4)
    assert not [name for name in params if name.startswith("7.")] and "0.weight" in params


def test_the_command_line_predicts_with_a_checkpoint(tmp_path, run_cli):
    tensors, picture = checkpoint(), tmp_path / "p.png"
    write_torch(tmp_path / "net.th", wrapped(tensors), legacy=True)
    values = numpy.random.RandomState(0).randint(0, 256, (32, 32, 3)).astype("uint8")
    Image.fromarray(values).save(picture)
    X = (values / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    expected = CifarResNet(tensors)(X.transpose(2, 0, 1)[None])[0]
    probabilities = numpy.exp(expected - expected.max()) / numpy.exp(expected - expected.max()).sum()
    done = run_cli(
        "predict",
        picture,
        "--model",
        "cifar_resnet20",
        "--weights",
        tmp_path / "net.th",
        "--top",
        10,
        "--engine",
        "byhand",
    )
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()[2:12]]
    assert [int(row[-2]) for row in rows] == numpy.argsort(-probabilities).tolist()
    assert [float(row[-1]) for row in rows] == pytest.approx(sorted(probabilities, reverse=True), abs=6e-4)
    assert "the network is cifar_resnet56" in one_line_error(
        run_cli("predict", picture, "--model", "cifar_resnet56", "--weights", tmp_path / "net.th")
    )


@pytest.mark.parametrize("in_channels", [3, 1])
def test_pictures_are_prepared_as_the_checkpoints_were_trained(in_channels):
    seen = numpy.full((32, 32, 3), 51, "uint8")  # 0.2
    X = normalize(seen, PREPARATIONS["cifar"], in_channels)
    mean, std = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]) if in_channels == 3 else ([0.449], [0.226])
    assert X.shape == (in_channels, 32, 32) and PREPARATIONS["cifar"].crop == 32
    assert X[:, 0, 0].tolist() == pytest.approx([(0.2 - m) / s for m, s in zip(mean, std)], rel=1e-5)


def test_torchvisions_keys_with_a_projection_in_every_block(tmp_path):
    plan = layout(parse_model("resnet18@torchvision:C", 5))
    tensors = {
        key: numpy.random.RandomState(0).randn(*shape).astype("float32") * 0.1
        for key, shape in torchvision_c(5).items()
    }
    save_file(tensors, tmp_path / "c.safetensors")
    found = identify_weights(tmp_path / "c.safetensors")
    assert (found.spec.name, found.naming) == ("resnet18@torchvision:C", "torchvision")
    spec, params = read_network(tmp_path / "c.safetensors", "resnet18")
    assert spec == plan.spec and (params["4.1.conv3.weight"] == tensors["layer1.1.downsample.0.weight"]).all()


def torchvision_c(classes):
    """{key: shape} of a ResNet-18 that projects in every block."""
    norm, shapes = ("weight", "bias", "running_mean", "running_var"), {"conv1.weight": (64, 3, 7, 7)}
    shapes.update({f"bn1.{part}": (64,) for part in norm})
    into = 64
    for stage, width in enumerate((64, 128, 256, 512), 1):
        for block in range(2):
            for name, kernel in (("conv1", 3), ("conv2", 3), ("downsample.0", 1)):
                channels = width if name == "conv2" else into
                shapes[f"layer{stage}.{block}.{name}.weight"] = (width, channels, kernel, kernel)
                following = {"conv1": "bn1", "conv2": "bn2", "downsample.0": "downsample.1"}[name]
                shapes.update({f"layer{stage}.{block}.{following}.{part}": (width,) for part in norm})
            into = width
    return {**shapes, "fc.weight": (classes, 512), "fc.bias": (classes,)}
