"""The budget of a weight file: every network that can be built can be read; sizes are counted as mxnet counts them."""

from gluon_resnet.errors import ModelError, WeightsError
from gluon_resnet.networks.specs import MOST_CLASSES, get_spec, model_names, parse_model
from gluon_resnet.weights import declared
from gluon_resnet.weights.budget import Budget, most_bytes, network_bytes

import mxnet as mx
import numpy
import pytest


def test_it_is_a_multiple_of_torchvisions_largest_network():
    # torchvision: 60,192,808 and 126,886,696 parameters, and two running statistics for each channel of a batch norm
    assert 60_192_808 * 4 < network_bytes(get_spec(152, "torchvision")) < 60_192_808 * 4 * 1.01
    assert 2 * 126_886_696 * 4 < most_bytes() < 1.01 * 2 * 126_886_696 * 4
    assert most_bytes() > 4 * 60_192_808 * 4  # a ResNet-152 in 64 bits with an average of it


def test_the_largest_networks_that_can_be_built_can_be_read():
    for name in (*model_names(), "cifar_resnet1202"):
        assert network_bytes(parse_model(name, MOST_CLASSES)) < most_bytes(), name
    with pytest.raises(ModelError, match="num_classes is 60,001: expected at most 60,000"):
        parse_model("resnet18", MOST_CLASSES + 1)
    with pytest.raises(ModelError, match="did you mean cifar_resnet1202"):
        parse_model("cifar_resnet1208")


def test_what_is_taken_is_gone_and_small_types_count_as_float32():
    budget = Budget("net.pth")
    budget.take("a", (most_bytes() // 8,), 1)
    budget.take("b", (most_bytes() // 16,), 8)
    with pytest.raises(WeightsError, match=r"net.pth: 'c' of shape \(2,\) makes it larger than [\d,]+ bytes"):
        budget.take("c", (2,), 4)
    for shape in ((0, 2**62), (-1,), (1,) * 33):
        with pytest.raises(WeightsError, match="makes it larger"):
            Budget("net.pth").take("d", shape, 4)


@pytest.mark.parametrize("kind", ["float32", "float64", "float16", "uint8", "int32", "int8", "int64"])
def test_the_headers_of_params_are_those_that_mxnet_writes(tmp_path, kind):
    shapes = [(2, 3, 4, 5), (7,), (1, 1)]
    arrays = {str(i): mx.nd.array(numpy.ones(shape), dtype=kind) for i, shape in enumerate(shapes)}
    mx.nd.save(str(tmp_path / "classic.params"), arrays)
    mx.npx.set_np()  # arrays that are saved now start with another magic number
    mx.npx.save(str(tmp_path / "numpy.params"), {key: values.as_np_ndarray() for key, values in arrays.items()})
    for path in (tmp_path / "classic.params", tmp_path / "numpy.params"):
        assert sorted(declared.params(path)) == sorted((shape, numpy.dtype(kind).itemsize) for shape in shapes)
        content = path.read_bytes()
        for end in range(16, len(content), 41):
            path.write_bytes(content[:end])
            with pytest.raises(ValueError):
                list(declared.params(path))
