"""bfloat16 and int8: near float32 for every family, whole numbers in fact, calibrated as mxnet calibrates; files."""

import os
import subprocess
import sys
from dataclasses import replace

from gluon_resnet.data.images import PREPARATIONS
from gluon_resnet.errors import ConfigError, DataError, ModelError, RunError, WeightsError
from gluon_resnet.evaluation import calibration as pictures
from gluon_resnet.instruments import int8_files, quantized
from gluon_resnet.instruments.engines import make_engine
from gluon_resnet.instruments.quantized import Int8Engine, calibrate
from gluon_resnet.machine import system
from gluon_resnet.networks.families import family_depths
from gluon_resnet.networks.layout import layout
from gluon_resnet.networks.slim import slim_spec
from gluon_resnet.networks.specs import get_spec, parse_model
from gluon_resnet.training import precision
from gluon_resnet.training.fused import INPUT, shown_layers

import numpy
import pytest
from mxnet.contrib import quantization
from safetensors.numpy import load_file, save_file

from tests.conftest import ROOT, relative_error
from tests.instruments.test_fused import KINDS, images, small
from tests.instruments.test_microscope import random_params

needs_bfloat16 = pytest.mark.skipif(not precision.is_native(), reason="no avx512_bf16")


def calibrated(spec, params, X, mode="naive"):
    return calibrate(spec, params, lambda: [X[: len(X) // 2], X[len(X) // 2 :]], mode)


@pytest.fixture(scope="module")
def case():
    spec, params = small(18, "torchvision")
    X = images(8, 3, 32, 32)
    return spec, params, X, calibrated(spec, params, X)


@pytest.mark.parametrize("family", KINDS)
def test_int8_is_near_float32_in_every_family(family, both_modes):
    spec, params = small(family_depths(family)[0], family)
    X = images(8, 3, 32, 32)
    engine = Int8Engine(spec, params, calibrated(spec, params, X))
    expected = make_engine("gluon", spec, params).logits(X)
    # half a step of 1 / 127 in each layer; random weights do not shrink it
    assert 1e-5 < relative_error(engine.logits(X), expected) < 0.06
    assert engine.logits(X[:1]).shape == (1, 7)


def test_a_layer_holds_whole_numbers_of_its_scale(case):
    spec, params, X, calibration = case
    found = Int8Engine(spec, params, calibration).activations(X)
    levels = 255 if system.onednn_may_use("avx512_vnni") else 127.5  # without VNNI, 7 bits
    assert tuple(found) == shown_layers(layout(spec))
    for name in ("4.0.bn1", "4.0", "6.1"):  # blocks without a projection
        step = numpy.diff(numpy.unique(found[name])).min()
        assert step == pytest.approx(calibration.ranges[name][1] / levels, rel=0.01)
        steps = found[name] / step
        assert abs(steps - steps.round()).max() < 1e-2 and steps.min() >= 0 and 100 < steps.max() < 255.01
    assert len(numpy.unique(found["2"])) > 1000  # the stem stays in float32


@pytest.mark.parametrize("shortcut", ["A", "B", "C"])
@pytest.mark.parametrize("family", ["keras", "v2"])
def test_no_sum_is_cut_off_whatever_the_shortcut(family, shortcut):
    """mxnet 1.9.1 cuts sums off at half of the largest number, or at 0, if one side is signed and the other is not."""
    spec, params = small(18, family, shortcut)
    X = images(8, 3, 32, 32)
    engine, plain = Int8Engine(spec, params, calibrated(spec, params, X)), make_engine("gluon-plain", spec, params)
    expected, found = plain.activations(X), engine.activations(X)
    worst = {name: relative_error(found[name], expected[name]) for name in found}
    assert max(worst.values()) < 0.08, worst


def test_naive_ranges_are_the_smallest_and_largest_numbers(case):
    spec, params, X, calibration = case
    assert calibration.images == 8 and calibration.size == (32, 32) and calibration.mode == "naive"
    assert calibration.ranges[INPUT] == (X.min(), X.max())
    plain = make_engine("gluon-plain", spec, params).activations(X)
    for name in ("2", "4.0.bn1", "5.1", "9"):
        low, high = calibration.ranges[name]
        assert high == pytest.approx(plain[name].max(), rel=1e-5)
        assert low == pytest.approx(min(0, plain[name].min()), rel=1e-5, abs=1e-7)


def test_entropy_thresholds_are_those_of_mxnets_own_collector(case):
    spec, params, X, calibration = case
    Y = make_engine("gluon-plain", spec, params).activations(X)["5.0"]
    ranges = {INPUT: calibration.ranges[INPUT], "5.0": calibration.ranges["5.0"]}
    counts = quantized._histograms(["5.0"], lambda _: [Y], lambda: [X], ranges)
    found = quantized._nearest({"5.0": ranges["5.0"]}, counts)["5.0"]
    assert counts[INPUT].sum() == X.size and counts["5.0"].sum() == Y.size
    histogram = (*numpy.histogram(Y, bins=8001, range=(-Y.max(), Y.max())), Y.min(), Y.max(), Y.max())
    expected = quantization._get_optimal_thresholds({"5.0": histogram}, "auto")["5.0"]
    assert found[0] == expected[0] == 0 and found[1] == pytest.approx(float(numpy.ravel(expected[1])[0]), rel=2e-2)
    assert found[1] < Y.max() * 1.0001


@needs_bfloat16
@pytest.mark.parametrize("family", KINDS)
def test_bfloat16_is_near_float32_in_every_family(family, both_modes):
    spec, params = small(family_depths(family)[0], family)
    engine, X = make_engine("bfloat16", spec, params), images(4, 3, 32, 32)
    expected = make_engine("gluon", spec, params)
    # 8 significant bits: a relative error of 2**-9 in each of up to 50 layers
    assert 1e-5 < relative_error(engine.logits(X), expected.logits(X)) < 0.03
    assert relative_error(engine.features(X), expected.features(X)) < 0.05


def test_bfloat16_is_refused_where_the_processor_does_not_multiply_it(monkeypatch, case):
    monkeypatch.setenv("DNNL_MAX_CPU_ISA", "AVX2")
    with pytest.raises(ConfigError, match="^engine bfloat16: this processor has no avx512_bf16, or DNNL_MAX_CPU_ISA"):
        make_engine("bfloat16", *case[:2])
    monkeypatch.delenv("DNNL_MAX_CPU_ISA")
    monkeypatch.setattr(system, "cpu", lambda: {"instruction_sets": ["avx2", "avx512f"]})
    with pytest.raises(ConfigError, match="keeps oneDNN from it: take the engine gluon$"):
        make_engine("bfloat16", *case[:2])


def test_what_cannot_be_calibrated(case):
    spec, params, X, _ = case
    with pytest.raises(DataError, match="^1 image to calibrate on: expected 4 or more$"):
        calibrate(spec, params, lambda: [X[:1]])
    diverged = {**params, "0.weight": params["0.weight"] * numpy.float32(numpy.inf)}
    with pytest.raises(WeightsError, match="parameter 0.weight: not all its numbers are finite"):
        calibrated(spec, diverged, X)
    with pytest.raises(ModelError, match="engine 'int8' needs a calibration"):
        make_engine("int8", spec, params)


def test_agreement_by_hand():
    found = quantized.agreement(numpy.float32([[1, 4], [2, 1]]), numpy.float32([[1, 3], [0, 1]]))
    assert found == quantized.Agreement(2, 1, 2.0, 4.0)
    assert str(found) == (
        "the same class as float32 for 1 of 2 images, largest difference of a logit 2 (50.0% of the largest)"
    )


# Files ----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def written(tmp_path):
    spec = parse_model("cifar_resnet20:B", 5)
    params, X = random_params(spec), images(6, 3, 32, 32)
    content = int8_files.QuantizedFile(spec, params, calibrated(spec, params, X), PREPARATIONS["cifar"])
    int8_files.write(tmp_path / "net.int8", content)
    return tmp_path / "net.int8", content


def rewritten(path, **changes):
    from safetensors import safe_open

    with safe_open(str(path), framework="numpy") as file:
        metadata = dict(file.metadata())
    tensors = load_file(str(path))
    save_file({**tensors, **changes.pop("tensors", {})}, str(path), metadata={**metadata, **changes})


def test_a_file_holds_the_network_and_its_calibration(written):
    path, content = written
    again = int8_files.read(path)
    assert again.spec == content.spec and again.preparation == content.preparation
    assert again.calibration == content.calibration
    assert all((again.params[name] == values).all() for name, values in content.params.items())
    X = images(3, 3, 32, 32, seed=5)
    first, second = (Int8Engine(each.spec, each.params, each.calibration).logits(X) for each in (content, again))
    assert (first == second).all()


def test_a_damaged_file_or_one_of_another_version_is_one_line(written, tmp_path):
    path, content = written
    whole = path.read_bytes()
    for damage, problem in (
        (lambda: path.write_bytes(whole[: len(whole) // 2]), "damaged, or no file of gluon-resnet quantize"),
        (lambda: path.write_bytes(b"not this"), "damaged, or no file of gluon-resnet quantize"),
        (lambda: path.write_bytes(whole[:-3] + b"abc"), "damaged: its SHA-256 is not that of what is in it"),
        (
            lambda: rewritten(path, format="gluon-resnet int8 2031"),
            "of another version of this suite: expected the format",
        ),
        (lambda: rewritten(path, facts="{}"), "damaged: its SHA-256"),
    ):
        path.write_bytes(whole)
        damage()
        with pytest.raises(WeightsError, match=problem) as caught:
            int8_files.read(path)
        assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)
        assert str(caught.value).endswith("write it again with gluon-resnet quantize")
    with pytest.raises(WeightsError, match="no such file"):
        int8_files.read(tmp_path / "none.int8")
    with pytest.raises(RunError, match="cannot be written"):
        int8_files.write(tmp_path / "no folder" / "net.int8", content)


def test_a_network_outside_the_table_has_no_file(written, tmp_path):
    spec = slim_spec([{"depth": 64, "num_class": 1}, {"depth": 96, "num_class": 1}], 3)
    with pytest.raises(ModelError, match="a network that is not in the table"):
        int8_files.write(tmp_path / "own.int8", replace(written[1], spec=spec))
    assert not (tmp_path / "own.int8").exists()


# Images to calibrate on -----------------------------------------------------------------------------------------------


def test_images_are_spread_over_all():
    assert pictures.spread(10, 4).tolist() == [0, 3, 6, 9]
    assert pictures.spread(3, 512).tolist() == [0, 1, 2] and pictures.spread(9, 1).tolist() == [0]


def test_without_vnni_it_is_said_once(monkeypatch, capsys):
    pictures.say_if_slow.cache_clear()
    monkeypatch.setattr(system, "cpu", lambda: {"instruction_sets": ["avx2"]})
    pictures.say_if_slow()
    pictures.say_if_slow()
    assert capsys.readouterr().err == (
        "gluon_resnet: this processor has no avx512_vnni, or DNNL_MAX_CPU_ISA keeps oneDNN from it: the engine int8 "
        "works and is not faster than gluon\n"
    )
    pictures.say_if_slow.cache_clear()


def test_get_spec_gives_the_same_network_as_its_name():
    assert int8_files.check_spec(get_spec(50, "v2", 12)) is None


AVX2 = """
from gluon_resnet.errors import ConfigError
from gluon_resnet.instruments.engines import make_engine
from gluon_resnet.instruments.quantized import Int8Engine, calibrate
from tests.conftest import relative_error
from tests.instruments.test_fused import KINDS, images, small

for depth, family in ((18, "torchvision"), (18, "v2")):
    spec, params = small(depth, family)
    X = images(4, 3, 32, 32)
    expected = make_engine("byhand", spec, params).logits(X)
    assert relative_error(make_engine("gluon", spec, params).logits(X), expected) < 1e-4
    engine = Int8Engine(spec, params, calibrate(spec, params, lambda: [X]))
    assert relative_error(engine.logits(X), expected) < 0.06
try:
    make_engine("bfloat16", spec, params)
except ConfigError:
    print("as expected")
"""


def test_a_processor_with_avx2_alone():
    environ = {**os.environ, "DNNL_MAX_CPU_ISA": "AVX2"}  # oneDNN reads it when it sets its first operator up
    done = subprocess.run([sys.executable, "-c", AVX2], cwd=str(ROOT), env=environ, text=True, capture_output=True)
    assert (done.returncode, done.stdout) == (0, "as expected\n"), done.stderr
