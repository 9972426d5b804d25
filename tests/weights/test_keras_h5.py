"""Keras' files: small ones that Keras 2 and 3 wrote (scripts/parity/keras_fixtures.py), and each layout made by hand.

The names of 2016 are those that programs reading resnet50_weights_tf_dim_ordering_tf_kernels.h5 with h5py ask for:
conv1/conv1_W:0, bn_conv1/bn_conv1_running_std:0, fc1000/fc1000_W:0; other files of that year have _W_1:0.
"""

import gzip
import json
import zipfile

from gluon_resnet.errors import WeightsError
from gluon_resnet.networks.layout import layout
from gluon_resnet.networks.specs import get_spec
from gluon_resnet.weights.keras_h5 import read_keras_h5
from gluon_resnet.weights.names import keras_order, names

import h5py
import numpy
import pytest

from tests.conftest import ROOT

FIXTURES = ROOT / "tests" / "fixtures" / "keras"
REAL = [
    "keras2-weights.h5",
    "keras2-whole.h5",
    "keras3-whole.h5",
    "keras3.weights.h5",
    "keras3.keras",
    "keras3-bfloat16.weights.h5",
]

#: the variables of the real files, holding 0 to 33 in this order
SHAPES = {
    "conv1_conv/kernel": (3, 3, 1, 2),
    "conv1_conv/bias": (2,),
    "conv1_bn/gamma": (2,),
    "conv1_bn/beta": (2,),
    "conv1_bn/moving_mean": (2,),
    "conv1_bn/moving_variance": (2,),
    "predictions/kernel": (2, 2),
    "predictions/bias": (2,),
}

#: 2016's names in a group -> today's keys
OF_2016 = {
    "conv1": {"W": "conv1/kernel", "b": "conv1/bias"},
    "bn_conv1": {
        "gamma": "bn_conv1/gamma",
        "beta": "bn_conv1/beta",
        "running_mean": "bn_conv1/moving_mean",
        "running_std": "bn_conv1/moving_variance",
    },
    "res2a_branch2a": {"W": "res2a_branch2a/kernel", "b": "res2a_branch2a/bias"},
    "fc1000": {"W": "fc1000/kernel", "b": "fc1000/bias"},
}


def real(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(gzip.decompress((FIXTURES / f"{name}.gz").read_bytes()))
    return path


def write(path, groups, under="/", listed="layer_names", weights_listed="weight_names"):
    """A file with a group a layer: {layer: {weight: values}}."""
    with h5py.File(path, "w") as file:
        root = file.require_group(under)
        root.attrs[listed] = [name.encode() for name in groups]
        for layer, weights in groups.items():
            group = root.create_group(layer)
            group.attrs[weights_listed] = [name.encode() for name in weights]
            for name, values in weights.items():
                group[name] = values
    return path


def of_2016(end):
    """Groups in 2016's way, the i-th variable holding i, and what they should be read as."""
    groups, expected = {"input_1": {}}, {}
    for layer, weights in OF_2016.items():
        groups[layer] = {}
        for before, key in weights.items():
            expected[key] = groups[layer][f"{layer}_{before}{end}"] = numpy.full((2, 3), len(expected), "float32")
    return groups, expected


def same(found, expected):
    return found.keys() == expected.keys() and all(numpy.array_equal(found[key], expected[key]) for key in expected)


def refused(path, *words):
    """The message of the one-line WeightsError that reading ``path`` ends in."""
    with pytest.raises(WeightsError) as caught:
        read_keras_h5(path)
    message = str(caught.value)
    assert "\n" not in message and message.startswith(f"{path}: ")
    assert all(word in message for word in words), message


@pytest.mark.parametrize("name", REAL)
def test_what_keras_itself_wrote(tmp_path, name):
    expected, start = {}, 0
    for key, shape in SHAPES.items():
        size = int(numpy.prod(shape))
        expected[key] = numpy.arange(start, start + size, dtype="float32").reshape(shape)
        start += size
    found = read_keras_h5(real(tmp_path, name))
    assert same(found, expected)
    assert {values.dtype for values in found.values()} == {numpy.dtype("float32")}


@pytest.mark.parametrize("end", ["_1:0", ":0", "", "_12:0"])
def test_files_of_2016_come_under_todays_names(tmp_path, end):
    groups, expected = of_2016(end)
    assert same(read_keras_h5(write(tmp_path / "a.h5", groups)), expected)


def test_the_names_of_2016_are_those_the_table_asks_for():
    asked = {key for key, _ in names("keras-2016", layout(get_spec(50, "keras2016"))).values()}
    assert {key for weights in OF_2016.values() for key in weights.values()} <= asked


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("kind", [str, bytes])
def test_lists_cut_into_chunks(tmp_path, whole, kind):
    path = write(
        tmp_path / "a.h5",
        {"b": {"b/kernel:0": [1.0]}, "a": {"a/kernel:0": [2.0], "a/bias:0": [3.0]}},
        "/model_weights" if whole else "/",
    )
    with h5py.File(path, "r+") as file:
        root = file["model_weights"] if whole else file
        del root.attrs["layer_names"], root["a"].attrs["weight_names"]
        for i, name in enumerate("ba"):
            root.attrs[f"layer_names{i}"] = [name if kind is str else name.encode()]
        root["a"].attrs["weight_names0"] = [b"a/kernel:0"]
        root["a"].attrs["weight_names1"] = ["a/bias:0"]
    assert same(read_keras_h5(path), {"b/kernel": [1.0], "a/kernel": [2.0], "a/bias": [3.0]})


def test_a_group_of_many_scopes_is_a_model_and_of_one_a_layer(tmp_path):
    path = write(
        tmp_path / "a.h5",
        {
            "resnet50": {"conv1_conv/kernel:0": [1.0], "conv1_bn/gamma:0": [2.0], "resnet50/fc/bias:0": [3.0]},
            "dropout": {"seed_generator/seed_generator_state": numpy.zeros(2, "uint32")},
            "conv1": {"conv1_1/kernel:0": [4.0]},  # the second network of a session
            "predictions": {"sequential/predictions/kernel": [5.0]},
        },
    )
    assert same(
        read_keras_h5(path),
        {
            "conv1_conv/kernel": [1.0],
            "conv1_bn/gamma": [2.0],
            "fc/bias": [3.0],
            "conv1/kernel": [4.0],
            "predictions/kernel": [5.0],
        },
    )


@pytest.mark.parametrize("case", ["resnet50", "resnet101", "resnet152", "article-000", "names-of-2016"])
def test_layers_are_counted_in_kerass_order(case):
    order = json.loads((FIXTURES / "layers.json").read_text())[case]
    naming, family = {"article-000": ("article-000", "keras2016"), "names-of-2016": ("keras-2016", "keras2016")}.get(
        case, ("keras", "keras")
    )
    depth = int(case[6:]) if case.startswith("resnet") else 50
    found = keras_order(naming, layout(get_spec(depth, family)))
    assert {kind: [name for _, name in layers] for kind, layers in found.items()} == {
        "conv2d": order["Conv2D"],
        "batch_normalization": order["BatchNormalization"],
        "dense": order["Dense"],
    }


def numbered(path, case, spec, under="layers/"):
    """A .weights.h5 of a whole ResNet; what is not a kernel holds its layer's place in ``case``'s order."""
    order = json.loads((FIXTURES / "layers.json").read_text())[case]
    naming = "keras" if case == "resnet50" else "keras-2016"
    shapes = {name: layer for layers in keras_order(naming, layout(spec)).values() for layer, name in layers}
    with h5py.File(path, "w") as file:
        file.create_group("vars")
        file.create_group("optimizer/vars")["0"] = 1.0
        for kind, layers in {
            "conv2d": order["Conv2D"],
            "batch_normalization": order["BatchNormalization"],
            "dense": order["Dense"],
        }.items():
            for i, name in enumerate(layers):
                group = file.create_group(f"{under}{kind}{f'_{i}' if i else ''}/vars")
                if kind == "batch_normalization":
                    for k in range(4):
                        group[str(k)] = numpy.full(shapes[name].channels, i, "float32")
                    continue
                conv = shapes[name]
                shape = (
                    (conv.kernel, conv.kernel, conv.in_channels, conv.out_channels)
                    if kind == "conv2d"
                    else (conv.in_units, conv.units)
                )
                group.create_dataset("0", shape, "float32")
                group["1"] = numpy.full(shape[-1], i, "float32")
    return path, order


@pytest.mark.parametrize("case, family", [("resnet50", "keras"), ("names-of-2016", "keras2016")])
def test_numbers_for_names_are_resolved_by_order_and_shapes(tmp_path, case, family):
    path, order = numbered(tmp_path / "a.weights.h5", case, get_spec(50, family))
    found = read_keras_h5(path)
    assert len(found) == 53 * 2 + 53 * 4 + 2
    for part, layers in (("bias", order["Conv2D"]), ("beta", order["BatchNormalization"])):
        assert [found[f"{name}/{part}"][0] for name in layers] == list(range(53))


def test_keras_2_12_on_windows_joined_with_backslashes(tmp_path):
    under = "_layer_checkpoint_dependencies\\"
    path, order = numbered(tmp_path / "a.weights.h5", "resnet50", get_spec(50, "keras"), under)
    found = read_keras_h5(path)
    assert [found[f"{name}/bias"][0] for name in order["Conv2D"]] == list(range(53))


def test_numbers_that_are_no_resnets_are_refused(tmp_path):
    refused(real(tmp_path, "keras2.weights.h5"), "no ResNet has 1 convolutions, 1 batch norms and 1 matrices")


def test_no_file_and_no_keras_file_are_named(tmp_path):
    refused(tmp_path / "none.h5", "not there")
    (tmp_path / "a.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(1000))
    refused(tmp_path / "a.h5", "damaged")
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["temperatures"] = [1.0]
    refused(tmp_path / "b.h5", "no Keras weight file", "found temperatures")
    with zipfile.ZipFile(tmp_path / "c.keras", "w") as archive:
        archive.writestr("config.json", "{}")
    refused(tmp_path / "c.keras", "model.weights.h5")


@pytest.mark.parametrize("name", REAL)
def test_a_file_cut_off_anywhere_is_refused(tmp_path, name):
    path = real(tmp_path, name)
    contents = path.read_bytes()
    for part in range(1, 20):
        path.write_bytes(contents[: len(contents) * part // 20])
        refused(path)


@pytest.mark.parametrize(
    "spoil, words",
    [
        (lambda file: file.__delitem__("conv1"), ["/conv1 is missing"]),
        (lambda file: file["conv1"].__delitem__("conv1_W_1:0"), ["conv1_W_1:0 is missing"]),
        (lambda file: file["conv1"].attrs.__delitem__("weight_names"), ["/conv1", "weight_names"]),
        (lambda file: file["conv1"].attrs.__setitem__("weight_names", [b"conv1_depthwise_W_1:0"]), ["depthwise_W_1:0"]),
        (lambda file: file["conv1"].attrs.__setitem__("weight_names", [b"conv1_W_1:0"] * 2), ["conv1/kernel is there"]),
        (lambda file: file.attrs.__setitem__("layer_names", [b"conv1/conv1_W_1:0"]), ["weight_names"]),
        (lambda file: file.attrs.__setitem__("layer_names", 3), ["damaged"]),
        (lambda file: file.attrs.__setitem__("layer_names", ["two\nlines"]), ["damaged"]),
    ],
)
def test_what_is_missing_or_unknown_is_named(tmp_path, spoil, words):
    path = write(tmp_path / "a.h5", of_2016("_1:0")[0])
    with h5py.File(path, "r+") as file:
        spoil(file)
    refused(path, *words)


def external_data(group, other):
    group.create_dataset("conv1_W_1:0", (2, 3), "float32", external=[(str(other), 0, 24)])


def virtual_data(group, other):
    source = h5py.VirtualSource(str(other), "conv1/conv1_W_1:0", shape=(2, 3))
    virtual = h5py.VirtualLayout((2, 3), "float32")
    virtual[:] = source
    group.create_virtual_dataset("conv1_W_1:0", virtual)


def external_link(group, other):
    group["conv1_W_1:0"] = h5py.ExternalLink(str(other), "/conv1/conv1_W_1:0")


def soft_link(group, other):
    group["conv1_W_1:0"] = h5py.SoftLink("/conv1/conv1_b_1:0")


@pytest.mark.parametrize(
    "replace, word",
    [
        (external_data, "another file"),
        (virtual_data, "another file"),
        (external_link, "link elsewhere"),
        (soft_link, "link elsewhere"),
    ],
)
@pytest.mark.parametrize("there", [False, True])
def test_links_and_data_elsewhere_are_not_followed(tmp_path, replace, word, there):
    groups, _ = of_2016("_1:0")
    path, other = write(tmp_path / "a.h5", groups), tmp_path / "other.h5"
    if there:
        write(other, groups)
    with h5py.File(path, "r+") as file:
        del file["conv1/conv1_W_1:0"]
        replace(file["conv1"], other)
    refused(path, word)


@pytest.mark.parametrize("name", ["conv1", "/conv1"])
def test_a_whole_layer_behind_a_link_is_refused(tmp_path, name):
    path, other = write(tmp_path / "a.h5", {}), write(tmp_path / "other.h5", of_2016("_1:0")[0])
    with h5py.File(path, "r+") as file:
        file["conv1"] = h5py.ExternalLink(str(other), "/conv1")
        file.attrs["layer_names"] = [name.encode()]
    refused(path)


@pytest.mark.parametrize(
    "values, words",
    [
        (numpy.zeros(2, "S3"), ["expected numbers"]),
        (numpy.zeros(2, "c8"), ["expected numbers"]),
        (h5py.Empty("f4"), ["holds no values"]),
    ],
)
def test_arrays_of_other_things_are_refused(tmp_path, values, words):
    refused(write(tmp_path / "a.h5", {"conv1": {"conv1_W:0": values}}), *words)


def test_a_size_no_network_has_is_refused_before_it_is_read(tmp_path):
    path = write(tmp_path / "a.h5", {"conv1": {"conv1_W:0": [1.0]}})
    with h5py.File(path, "r+") as file:
        del file["conv1/conv1_W:0"]
        file["conv1"].create_dataset("conv1_W:0", (10**6, 10**6), "float32", chunks=(1000, 1000))
    refused(path, "'/conv1/conv1_W:0' of shape (1000000, 1000000) makes it larger than")


def test_numbered_variables_must_be_a_known_layers(tmp_path):
    for kind, numbers in (("batch_normalization", "012"), ("conv2d", "13"), ("conv2d", "012"), ("lstm", "012")):
        with h5py.File(tmp_path / "a.weights.h5", "w") as file:
            for number in numbers:
                file[f"layers/{kind}/vars/{number}"] = [1.0]
        refused(tmp_path / "a.weights.h5", f"/layers/{kind}/vars holds {', '.join(numbers)}")


def test_a_group_inside_itself_ends(tmp_path):
    with h5py.File(tmp_path / "a.weights.h5", "w") as file:
        file["layers/conv2d/layers"] = file.create_group("layers/functional")
        file["layers/functional/layers"] = file["layers"]
    refused(tmp_path / "a.weights.h5", "/layers is there under two names")
