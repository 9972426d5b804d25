"""Article 003's network: its dictionary, its shapes, and its own functions in NumPy, with channels last as there."""

import gluon_resnet as gr
from gluon_resnet.errors import ModelError
from gluon_resnet.networks.slim import slim_spec

import mxnet as mx
import numpy
import pytest
from mxnet import autograd

from tests.conftest import array, random_array, relative_error

#: The article's dictionary, literally.
ARTICLE_003 = {
    "layer_50": [
        {"depth": 256, "num_class": 3},
        {"depth": 512, "num_class": 4},
        {"depth": 1024, "num_class": 6},
        {"depth": 2048, "num_class": 3},
    ],
    "layer_101": [
        {"depth": 256, "num_class": 3},
        {"depth": 512, "num_class": 4},
        {"depth": 1024, "num_class": 23},
        {"depth": 2048, "num_class": 3},
    ],
    "layer_152": [
        {"depth": 256, "num_class": 3},
        {"depth": 512, "num_class": 8},
        {"depth": 1024, "num_class": 36},
        {"depth": 2048, "num_class": 3},
    ],
}

#: Two small stages: identity and subsampling in the first, padding by 36 (no multiple of 16) in the second.
SMALL = [{"depth": 64, "num_class": 2}, {"depth": 136, "num_class": 2}]


def test_the_dictionary_is_accepted_as_it_stands():
    assert gr.RESNET_DEMO == ARTICLE_003
    for depth in (50, 101, 152):
        expected = gr.parse_model(f"resnet{depth}@slim", 3)
        assert slim_spec(ARTICLE_003[f"layer_{depth}"], 3) == expected
        assert slim_spec(ARTICLE_003, 3, layer=f"layer_{depth}") == expected
        assert slim_spec({f"layer_{depth}": ARTICLE_003[f"layer_{depth}"]}, 3) == expected
        assert slim_spec(ARTICLE_003, 3, "dense_dropout", f"layer_{depth}").name == f"resnet{depth}@slim_fc"


def test_the_walk_at_224():
    table = gr.layer_shapes(gr.slim_resnet(ARTICLE_003["layer_50"], 3), (1, 3, 224, 224))
    assert list(table["output_shape"]) == [
        (1, 64, 112, 112),
        (1, 64, 55, 55),
        (1, 256, 28, 28),
        (1, 512, 14, 14),
        (1, 1024, 7, 7),
        (1, 2048, 7, 7),
        (1, 2048, 7, 7),
        (1, 2048, 7, 7),
        (1, 2048, 1, 1),
        (1, 3, 1, 1),
        (1, 3),
    ]


def _conv(X, W, bias=None, stride=1):
    """slim's convolution, conv2d_same if it strides: X (N, H, W, C), W (K, K, C, O), the same zeros on both sides."""
    K = W.shape[0]
    X = numpy.pad(X, ((0, 0), (K // 2, K // 2), (K // 2, K // 2), (0, 0)))
    H, V = ((size - K) // stride + 1 for size in X.shape[1:3])
    Y = sum(
        X[:, i : i + H * stride : stride, j : j + V * stride : stride] @ W[i, j] for i in range(K) for j in range(K)
    )
    return Y if bias is None else Y + bias


def _max_pool(X, K, stride):
    """slim.max_pool2d: VALID."""
    H, V = ((size - K) // stride + 1 for size in X.shape[1:3])
    return numpy.max(
        [X[:, i : i + H * stride : stride, j : j + V * stride : stride] for i in range(K) for j in range(K)], axis=0
    )


def _norm(X, gamma, beta, mean, var):
    return (X - mean) / numpy.sqrt(var + 1e-3) * gamma + beta


def _article_003(X, demo, params):
    """inference(): the article's functions on parameters with our names, in the order the article calls them."""

    def weights(name):
        return numpy.transpose(params[f"{name}.weight"], (2, 3, 1, 0)), params.get(f"{name}.bias")

    def norm(X, name, gamma=None):
        parts = [params[f"{name}.{part}"] for part in ("beta", "running_mean", "running_var")]
        return numpy.maximum(_norm(X, numpy.ones_like(parts[0]) if gamma is None else gamma, *parts), 0)

    data = _max_pool(_conv(X, *weights("0"), stride=2), 3, 2)
    for s, demo_stage in enumerate(demo):
        for i in range(demo_stage["num_class"]):
            name, depth = f"{2 + s}.{i}", demo_stage["depth"]
            stride = 2 if s < len(demo) - 1 and i == demo_stage["num_class"] - 1 else 1
            fill = (depth - data.shape[3]) // 2
            shortcut = numpy.pad(_max_pool(data, 1, stride), ((0, 0), (0, 0), (0, 0), (fill, fill)))
            Y = norm(_conv(data, *weights(f"{name}.conv1")), f"{name}.bn1")
            Y = norm(_conv(Y, *weights(f"{name}.conv2"), stride=stride), f"{name}.bn2")
            data = numpy.maximum(_conv(Y, *weights(f"{name}.conv3")) + shortcut, 0)
    last = 2 + len(demo)
    data = norm(data, str(last), params[f"{last}.gamma"]).mean(axis=(1, 2))
    return data, f"{last + 3}"


def _lively(net, X):
    """The network's parameters as a dict, with numbers of their own in all of them."""
    mx.random.seed(0)
    net.initialize(mx.init.Xavier())
    net(X)
    random = numpy.random.RandomState(3)
    for name, param in net._collect_params_with_prefix().items():
        if name.endswith(("gamma", "running_var")):
            param.set_data(array(random.uniform(0.5, 2, param.shape)))
        elif len(param.shape) == 1:
            param.set_data(array(random.randn(*param.shape) * 0.3))
    return {name: param.data().asnumpy().astype("float64") for name, param in net._collect_params_with_prefix().items()}


@pytest.mark.parametrize("head", ["conv", "dense_dropout"])
@pytest.mark.parametrize("size", [32, 37])
def test_the_articles_functions_in_numpy_give_the_same(both_modes, head, size):
    net, X = gr.slim_resnet(SMALL, 12, head), random_array(2, 3, size, size)
    params = _lively(net, X)
    features, last = _article_003(X.asnumpy().transpose(0, 2, 3, 1).astype("float64"), SMALL, params)
    expected = features @ params[f"{last}.weight"].reshape(12, -1).T + params[f"{last}.bias"]
    if head == "dense_dropout":
        expected = numpy.maximum(expected, 0)
        assert (expected == 0).any() and (expected > 0).any()
    assert relative_error(net(X).asnumpy(), expected) < 1e-5
    net.hybridize(static_alloc=True, static_shape=True)
    assert relative_error(net(X).asnumpy(), expected) < 1e-5


def test_norms_inside_units_have_no_gamma_to_learn():
    net, X = gr.slim_resnet(SMALL, 5), random_array(2, 3, 32, 32)
    _lively(net, X)
    params = net._collect_params_with_prefix()
    learned = {name for name, param in params.items() if param.grad_req != "null" and name.endswith("gamma")}
    assert learned == {"4.gamma"}
    assert {name for name in params if name.endswith("bias")} == {
        "0.bias",
        "7.bias",
        *(f"{stage}.{unit}.conv3.bias" for stage in (2, 3) for unit in (0, 1)),
    }


def test_dropout_acts_in_training_alone():
    net, X = gr.slim_resnet(SMALL, 64, "dense_dropout"), random_array(4, 3, 32, 32)
    net.initialize(mx.init.Xavier())
    assert (net(X).asnumpy() == net(X).asnumpy()).all()
    mx.random.seed(0)
    logits = []
    net[7].register_forward_hook(lambda block, inputs, Y: logits.append(Y))
    with autograd.record():
        Y = net(X).asnumpy()
    before = numpy.maximum(logits[0].asnumpy(), 0)
    kept = (Y != 0)[before > 0]
    assert 0.3 < kept.mean() < 0.7 and numpy.allclose(Y[Y != 0], 2 * before[Y != 0], rtol=1e-5)


def test_the_penalty_adds_its_scale_times_the_weight_to_the_gradient(both_modes):
    net, X, gradients = gr.slim_resnet(SMALL, 5, "dense_dropout"), random_array(4, 3, 32, 32), []
    net.initialize(mx.init.Xavier())
    net(X)
    net[9]._rate = 0  # dropout would draw again each time
    weight, other = net[7].weight, net[0].weight
    for scale in (0.0, 0.3):
        with autograd.record():
            loss = net(X).sum() + gr.head_penalty(net, scale)
        loss.backward()
        gradients.append([param.grad().asnumpy() for param in (weight, other)])
    assert relative_error(gradients[1][0] - gradients[0][0], 0.3 * weight.data().asnumpy()) < 1e-4
    assert (gradients[1][1] == gradients[0][1]).all()
    expected = 0.15 * (weight.data().asnumpy() ** 2).sum()
    assert float(gr.head_penalty(net, 0.3).asnumpy()) == pytest.approx(expected, rel=1e-5)
    with pytest.raises(ModelError, match="not a network of this suite"):
        gr.head_penalty(mx.gluon.nn.Dense(3), 1)


def test_the_heads_weights_start_as_the_article_says(both_modes):
    net = gr.get_model("resnet50@slim_fc", 10)
    net.initialize(mx.init.Xavier())
    net(random_array(1, 3, 32, 32))
    weight = net[9].weight.data().asnumpy()
    # of a normal cut off at two sigma
    assert abs(weight).max() <= 0.2 and weight.std() == pytest.approx(0.088, abs=0.002)
    assert (net[9].bias.data().asnumpy() == numpy.float32(0.1)).all()


@pytest.mark.parametrize(
    "demo, words",
    [
        (ARTICLE_003, "demo holds 'layer_50', 'layer_101', 'layer_152': expected one list"),
        ({}, "demo holds nothing"),
        ([], "demo is []: expected a list of stages"),
        ("layer_50", "demo is 'layer_50': expected a list"),
        ([256, 512], "demo[0] is 256: expected a dictionary of depth and num_class"),
        ([{"depth": 256}], "demo[0] is {'depth': 256}"),
        (
            {"layer_50": [{"depth": 256, "num_class": 3}, {"depth": "512", "num_class": 4}]},
            "demo['layer_50'][1]: depth is '512'",
        ),
        (
            [{"depth": 256, "num_class": 3}, {"depth": 510, "num_class": 3}],
            "demo[1]: depth is 510: expected a positive multiple",
        ),
        ([{"depth": 256, "num_class": 0}], "demo[0]: num_class is 0"),
        ([{"depth": 256, "num_class": True}], "num_class is True"),
        ([{"depth": 32, "num_class": 1}], "the first depth is 32: expected at least 64"),
        ([{"depth": 256, "num_class": 1}, {"depth": 128, "num_class": 1}], "demo[1]: depth 128 is less than 256"),
    ],
)
def test_a_wrong_dictionary_is_one_line_that_names_the_entry(demo, words):
    with pytest.raises(ModelError) as caught:
        gr.slim_resnet(demo)
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_a_wrong_head_layer_or_number_of_classes():
    with pytest.raises(ModelError, match="head is 'fc': expected conv or dense_dropout"):
        gr.slim_resnet(SMALL, head="fc")
    with pytest.raises(ModelError, match="demo has no 'layer_18'"):
        gr.slim_resnet(ARTICLE_003, layer="layer_18")
    with pytest.raises(ModelError, match="num_classes is 0"):
        gr.slim_resnet(SMALL, 0)
