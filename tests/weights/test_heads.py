"""Files without the network's own head, or under a prefix: keys by hand, as the programs named here write them."""

import gluon_resnet as gr
from gluon_resnet.errors import WeightsError
from gluon_resnet.weights import identify_weights, read_network

import h5py
import numpy
import pytest
from PIL import Image
from safetensors.numpy import save_file

from tests.conftest import one_line_error
from tests.weights.test_keras_h5 import numbered
from tests.weights.test_weights import torchvision_resnet18
from tests.weights.test_weights_cifar import checkpoint
from tests.weights.torch_files import write_torch

MODEL = "cifar_resnet20"
#: some of the keys of the body, and where they belong
PLACES = {
    "conv1.weight": "0.weight",
    "bn1.running_var": "1.running_var",
    "layer2.1.conv2.weight": "4.1.conv2.weight",
    "layer3.0.bn2.bias": "5.0.bn2.beta",
}


def under(prefix, tensors):
    return {f"{prefix}{key}": values for key, values in tensors.items()}


def ones(*shape):
    return numpy.ones(shape, "float32")


def body(seed=0):
    return {key: values for key, values in checkpoint(seed=seed).items() if not key.startswith("linear.")}


#: file -> (its tensors, the prefix of the network in it, what is left out)
FILES = {
    "DINO's backbone": (body(), "", ""),
    "Sequential(Dropout, Linear)": (
        {**body(), "linear.1.weight": ones(4, 64), "linear.1.bias": ones(4)},
        "",
        "linear.1",
    ),
    "a projection of three layers": (
        {**body(), "fc.0.weight": ones(64, 64), "fc.1.running_mean": ones(64), "fc.3.weight": ones(8, 64)},
        "",
        "fc.0.weight and 2 more",
    ),
    "SwAV": ({**under("module.", body()), "module.prototypes.weight": ones(9, 64)}, "", "prototypes.weight"),
    "lightning": (under("model.", body()), "model.", ""),
    "backbone and classifier": (
        {**under("backbone.", body()), "classifier.weight": ones(4, 64), "classifier.bias": ones(4)},
        "backbone.",
        "classifier.bias and 1 more",
    ),
    "MoCo": (
        {
            **under("module.encoder_q.", {**body(), "fc.weight": ones(128, 64), "fc.bias": ones(128)}),
            **under("module.encoder_k.", body(1)),
            "module.queue": ones(128, 16),
        },
        "encoder_q.",
        "encoder_k.bn1.bias and",
    ),
    "SimSiam": (
        {**under("encoder.", {**body(), "fc.6.bias": ones(4)}), "predictor.0.weight": ones(4, 4)},
        "encoder.",
        "encoder.fc.6.bias and 1 more",
    ),
    "two prefixes": (under("model.resnet.", {**body(), "fc.bias": ones(3)}), "model.resnet.", ""),
    "any other": (under("eye.trunk.", body()), "eye.trunk.", ""),
}


@pytest.mark.parametrize("case", FILES)
def test_a_head_that_is_thrown_away_is_not_asked_for(tmp_path, case, capsys):
    tensors, prefix, left = FILES[case]
    path = tmp_path / "net.safetensors"
    save_file(tensors, path)
    spec, params = read_network(path, MODEL, num_classes=4, new_head=True)
    assert (spec.name, spec.num_classes, len(params)) == (MODEL, 4, 19 * 5)  # 19 convolutions, each with its norm
    begin = f"module.{prefix}" if case in ("SwAV", "MoCo") else prefix
    assert all((params[ours] == tensors[begin + key]).all() for key, ours in PLACES.items())
    said = capsys.readouterr().err
    assert said.count("\n") == bool(prefix or left) and prefix in said and left in said
    with pytest.raises(WeightsError, match="all but the head fits.* gluon-resnet train with --new-head") as refusal:
        read_network(path, MODEL)
    assert "\n" not in str(refusal.value)


def test_a_new_head_in_a_network_that_has_one(tmp_path):
    save_file(under("net.", body()), tmp_path / "net.safetensors")
    net = gr.get_model(MODEL, 4)
    gr.layer_shapes(net, (1, 3, 32, 32))
    before = net[-1].weight.data().asnumpy()
    assert len(gr.load_weights(net, tmp_path / "net.safetensors", new_head=True)) == 95
    assert (net[-1].weight.data().asnumpy() == before).all()
    assert (net[0].weight.data().asnumpy() == body()["conv1.weight"]).all()


def test_a_whole_network_under_a_prefix_is_read_and_said(tmp_path, run_cli):
    tensors = {key: values for key, values in checkpoint().items() if "batches" not in key}
    write_torch(tmp_path / "net.ckpt", {"state_dict": under("model.", tensors), "epoch": 3.0})
    found = identify_weights(tmp_path / "net.ckpt")
    assert found.description.startswith("cifar_resnet20, 3 channel(s) in, 10 classes (cifar names after model., torch)")
    Image.new("RGB", (32, 32)).save(tmp_path / "p.png")
    done = run_cli("predict", tmp_path / "p.png", "--model", MODEL, "--weights", tmp_path / "net.ckpt")
    assert done.returncode == 0 and done.stderr == f"{tmp_path}/net.ckpt: the network's names are read without model.\n"


@pytest.mark.parametrize(
    "tensors, words",
    [
        ({**body(), "layer1.0.se.fc1.weight": ones(4, 16)}, r"layer1.0.se.fc1.weight is not part of it"),
        ({**body(), "layer3.3.conv1.weight": ones(64, 64, 3, 3)}, r"layer3.3.conv1.weight is not part of it"),
        ({key: each for key, each in body().items() if key != "layer1.0.bn1.bias"}, "layer1.0.bn1.bias is missing"),
        ({**body(), "bn1.weight": ones(17)}, r"bn1.weight has shape \(17,\): expected \(16,\)"),
        (
            {**under("a.", body()), **under("b.", body())},
            "holds 2 networks, whose names begin with a., b.: expected one",
        ),
    ],
)
def test_a_body_that_is_another_networks_is_refused_with_a_new_head_too(tmp_path, tensors, words):
    save_file(tensors, tmp_path / "net.safetensors")
    with pytest.raises(WeightsError, match=words) as refusal:
        read_network(tmp_path / "net.safetensors", MODEL, num_classes=4, new_head=True)
    assert "\n" not in str(refusal.value) and "--new-head" not in str(refusal.value)


def keras_file(path, change):
    """A file of ResNet50 as Keras 2 writes it, all zeros, with some layers changed: {layer: {variable: shape}}."""
    layers = {}
    plan = gr.layout(gr.get_spec(50, "keras", 4))
    for ours, (key, axes) in gr.weight_names("keras", plan).items():
        shape = plan.params()[ours]
        layer, variable = key.split("/")
        # Keras' kernels are (H, W, in, out), its matrices (in, out)
        layers.setdefault(layer, {})[variable] = (*shape[2:], *shape[1::-1]) if axes else shape
    change(layers)
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [layer.encode() for layer in layers]
        for layer, variables in layers.items():
            group = file.create_group(layer)
            group.attrs["weight_names"] = [f"{layer}/{variable}:0".encode() for variable in variables]
            for variable, shape in variables.items():
                group.create_dataset(f"{layer}/{variable}:0", shape, "float32")
    return path


@pytest.mark.parametrize("head", [[], ["dense_7"], ["dense", "dense_1", "batch_normalization_2"]])
def test_keras_files_without_the_top_or_with_ones_own(tmp_path, head):
    def change(layers):
        del layers["predictions"]
        layers.update((layer, {"gamma": (2048,)} if "batch" in layer else {"kernel": (2048, 4)}) for layer in head)

    path = keras_file(tmp_path / "net.h5", change)
    spec, params = read_network(path, "resnet50", num_classes=3, new_head=True)
    assert spec == gr.get_spec(50, "keras", 3) and len(params) == 53 * 6  # kernel, bias and four of the norm
    with pytest.raises(WeightsError, match="predictions/kernel and 1 more are missing; all but the head fits"):
        read_network(path, "resnet50")


def test_keras_shapes_are_expected_in_keras_order(tmp_path):
    """(H, W, in, out), as Keras documents its kernels."""

    def change(layers):
        layers["conv3_block1_2_conv"]["kernel"] = (128, 96, 3, 3)  # Theano's order, and pruned

    path = keras_file(tmp_path / "net.h5", change)
    with pytest.raises(
        WeightsError, match=r"conv3_block1_2_conv/kernel has shape \(128, 96, 3, 3\): expected \(3, 3, 128, 128\)$"
    ):
        identify_weights(path)


@pytest.mark.parametrize("under, heads", [("layers/", 0), ("layers/", 2), ("layers/functional/layers/", 2)])
def test_keras_numbers_for_names_with_another_head(tmp_path, under, heads):
    path, order = numbered(tmp_path / "a.weights.h5", "resnet50", gr.get_spec(50, "keras"), under)
    with h5py.File(path, "r+") as file:
        del file[f"{under}dense"]
        for i in range(heads):
            file[f"layers/dense{f'_{i}' if i else ''}/vars/0"] = ones(2048, 4)
        if heads:
            for part in range(4):  # after the last of the body's in a model of its own, or the first outside of it
                name = "batch_normalization_53" if under == "layers/" else "batch_normalization"
                file[f"layers/{name}/vars/{part}"] = ones(2048)
    _, params = read_network(path, "resnet50", num_classes=4, new_head=True)
    # what is not a kernel holds its layer's place in Keras' order
    assert params["0.bias"][0] == order["Conv2D"].index("conv1_conv")
    assert params["7.2.conv3.bias"][0] == order["Conv2D"].index("conv5_block3_3_conv")
    assert params["5.0.bn4.beta"][0] == order["BatchNormalization"].index("conv3_block1_0_bn")
    assert len(params) == 53 * 6


def test_predict_says_how_many_channels_it_takes(tmp_path, run_cli):
    save_file(checkpoint(in_channels=4), tmp_path / "net.safetensors")
    Image.new("RGB", (32, 32)).save(tmp_path / "p.png")
    for command in ("predict", "microscope"):
        line = one_line_error(
            run_cli(command, tmp_path / "p.png", "--model", MODEL, "--weights", tmp_path / "net.safetensors")
        )
        assert line.endswith("net.safetensors: its first convolution takes 4 channels: expected 1 or 3, as images have")


def test_a_sequential_of_torchvisions_children(tmp_path, capsys):
    """``self.resnet = Sequential(*list(resnet18.children())[:-1])``: conv1 is 0, bn1 is 1, layer1 is 4 and so on."""
    tensors = torchvision_resnet18()
    places = {"conv1": "0", "bn1": "1", **{f"layer{stage}": str(stage + 3) for stage in (1, 2, 3, 4)}}
    renamed = {
        f"resnet.{places[first]}.{rest}": tensors[f"{first}.{rest}"]
        for first, _, rest in (key.partition(".") for key in tensors)
        if first != "fc"
    }
    save_file(renamed, tmp_path / "net.safetensors")
    spec, params = read_network(tmp_path / "net.safetensors", "resnet18", num_classes=4, new_head=True)
    assert spec == gr.get_spec(18, "torchvision", 4) and len(params) == 100
    assert (params["7.0.conv3.weight"] == tensors["layer4.0.downsample.0.weight"]).all()
    assert (params["1.beta"] == tensors["bn1.bias"]).all()
    assert (params["5.1.bn2.running_mean"] == tensors["layer2.1.bn2.running_mean"]).all()
    assert "read without resnet." in capsys.readouterr().err
