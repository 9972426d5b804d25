"""The profile, on a log that oneDNN 2.4.4 wrote: one training step of resnet18@d2l on 2x1x64x64 (tests/golden/)."""

import json
import re

from gluon_resnet.benchmarks import attribution, profile
from gluon_resnet.errors import BackendError, ConfigError
from gluon_resnet.machine.onednn_log import END, STEP, Primitive, read_line, read_steps
from gluon_resnet.networks.layout import layout
from gluon_resnet.networks.specs import parse_model
from gluon_resnet.training import precision

import pytest

from tests.benchmarks.made_up import cells
from tests.conftest import ROOT, one_line_error

LOG = (ROOT / "tests" / "golden" / "onednn-2.4.4-train.log").read_text().splitlines()
SHAPE = (2, 1, 64, 64)
# also written by oneDNN 2.4.4: a convolution into which mxnet's subgraph has fused the sum and the ReLU
FUSED = (
    "dnnl_verbose,exec,cpu,convolution,brgconv:avx512_core,forward_inference,src_f32::blocked:acdb:f0 "
    "wei_f32::blocked:Acdb16a:f0 bia_f32::blocked:a:f0 dst_f32::blocked:acdb:f0,attr-post-ops:sum+eltwise_relu:0:1 ,"
    "alg:convolution_direct,mb1_ic8oc16_ih10oh10kh3sh1dh0ph1_iw10ow10kw3sw1dw0pw1,0.00488281"
)


def milliseconds(pattern):
    """The times of the log's lines that match, read without the parser."""
    return [float(line.rsplit(",", 1)[1]) for line in LOG if ",exec," in line and re.search(pattern, line)]


def test_a_line():
    found = read_line(FUSED)
    assert found == Primitive(
        "convolution",
        "brgconv:avx512_core",
        "forward_inference",
        "attr-post-ops:sum+eltwise_relu:0:1 ",
        "alg:convolution_direct",
        "mb1_ic8oc16_ih10oh10kh3sh1dh0ph1_iw10ow10kw3sw1dw0pw1",
        0.00488281,
    )
    assert found.fused == "sum, relu"
    assert {name: found.sizes[name] for name in ("mb", "ic", "oc", "kh", "sh", "ih", "iw")} == {
        "mb": 1,
        "ic": 8,
        "oc": 16,
        "kh": 3,
        "sh": 1,
        "ih": 10,
        "iw": 10,
    }


@pytest.mark.parametrize(
    "line", ["", "gluon-resnet: step", LOG[0], LOG[4], FUSED[:-11], FUSED.replace(",exec,", ",create,"), "{}", "a,b,c"]
)
def test_other_lines_are_no_primitives(line):
    assert read_line(line) is None


def test_all_lines_between_the_marks_are_read():
    (step,) = read_steps(LOG)
    assert len(step) == sum(",exec," in line for line in LOG)
    assert sum(one.milliseconds for one in step) == pytest.approx(sum(milliseconds("")))
    two = read_steps([FUSED, STEP, FUSED, STEP, FUSED, FUSED, END, FUSED])
    assert [len(step) for step in two] == [1, 2]


def test_the_layers_of_a_log_have_their_own_lines():
    table = profile.by_layer(read_steps(LOG), "resnet18@d2l", SHAPE).set_index("layer")
    convolutions = [name for name in table.index if table["kind"][name] == "convolution"]
    assert len(convolutions) == 20 and (table["kind"] == "batch_normalization").sum() == 17
    stem = table.loc["stem"]  # the only one with a kernel of 7, and with no gradient of the image
    assert stem["forward"] == pytest.approx(sum(milliseconds("forward_training.*kh7")))
    assert stem["to the weights"] == pytest.approx(sum(milliseconds("backward_weights.*kh7")))
    assert stem["to the data"] == 0 and stem["total"] == stem["forward"] + stem["to the weights"]
    # four layers of 64 channels on 16x16: the first line forward is the first layer's, backward the last layer's
    same = "convolution,.*{}.*ic64oc64_ih16"
    names = [f"stage1.block{block}.conv{conv}" for block in (0, 1) for conv in (1, 2)]
    assert list(table["forward"][names]) == milliseconds(same.format("forward_training"))
    assert list(table["to the data"][names]) == milliseconds(same.format("backward_data"))[::-1]
    assert table["inside"]["stage1.block0.bn1"] == "relu" and table["inside"]["stage1.block0.bn2"] == ""
    assert table["total"]["classifier"] == pytest.approx(sum(milliseconds("inner_product")))
    assert table["no direction"]["(changes of memory layout)"] == pytest.approx(sum(milliseconds("reorder")))
    assert table["total"].sum() == pytest.approx(sum(milliseconds("")))


def test_the_primitives_and_the_time_outside_onednn():
    seconds = 2 * sum(milliseconds("")) / 1000
    table = profile.by_primitive(read_steps(LOG) * 2, [seconds, seconds])
    assert table["share"].sum() == pytest.approx(1) and table["primitive"].iloc[-1] == "outside oneDNN"
    assert table["share"].iloc[-1] == pytest.approx(0.5)
    forward = table[(table["primitive"] == "convolution") & (table["direction"] == "forward_training")]
    assert forward["calls"].sum() == 20
    assert forward["ms"].sum() == pytest.approx(sum(milliseconds(",convolution,.*forward_training")))
    assert list(table["ms"][:-1]) == sorted(table["ms"][:-1], reverse=True)


@pytest.mark.parametrize(
    "name", ["resnet50@torchvision", "resnet18@v2", "resnet34@mxnet", "cifar_resnet20", "resnet50@slim"]
)
def test_every_layer_with_parameters_has_a_key(name):
    plan = layout(parse_model(name), 3)
    assert [layer for layer, _ in attribution.keys(plan, (64, 64))] == [layer.name for layer in plan.layers()]


def test_a_picture_has_all_of_the_time():
    layers = profile.by_layer(read_steps(LOG), "resnet18@d2l", SHAPE)
    left, right = profile.draw(layers, profile.by_primitive(read_steps(LOG), [10.0]), "title").axes
    assert sum(bar.get_width() for bar in left.patches) == pytest.approx(sum(milliseconds("")))
    assert sum(bar.get_width() for bar in right.patches) == pytest.approx(10_000)
    assert "stage4.block1" in [label.get_text() for label in left.get_yticklabels()]


def test_the_command_profiles_a_small_network(run_cli, tmp_path):
    files = ["--save", tmp_path / "p.png", "--json", tmp_path / "p.json", "--steps", 1, "--rows", 3]
    done = run_cli("profile", "cifar_resnet8", "--input", "1,3,16,16", "--batch-size", 2, *files)
    assert done.returncode == 0, done.stderr
    assert "cifar_resnet8" in done.stdout and "a prediction with engine gluon of 2x3x16x16" in done.stdout
    assert "outside oneDNN" in cells(done.stdout) and "## By layer (3 of " in done.stdout
    assert (tmp_path / "p.png").read_bytes()[:4] == b"\x89PNG"
    stored = json.loads((tmp_path / "p.json").read_text())
    assert {"stem", "stage1.block0.conv1", "classifier"} <= {row["layer"] for row in stored["layers"]}
    assert len(stored["seconds"]) == 1 and stored["primitives"][-1]["primitive"] == "outside oneDNN"


@pytest.mark.skipif(not precision.is_native(), reason="needs a processor with AVX512-BF16")
def test_a_training_step_in_bfloat16_runs_bfloat16_convolutions(run_cli):
    options = ("--precision", "bfloat16", "--input", "2,3,16,16", "--steps", 1)
    done = run_cli("profile", "cifar_resnet8", "--train", *options)
    assert done.returncode == 0, done.stderr
    assert "a training step in bfloat16 of 2x3x16x16" in done.stdout and "bf16" in done.stdout


def test_bfloat16_is_refused_where_the_processor_has_none(monkeypatch):
    monkeypatch.setattr(precision, "is_native", lambda: False)
    with pytest.raises(ConfigError, match="no avx512_bf16"):
        profile.profile("resnet18", (1, 1, 32, 32), "train", precision="bfloat16")


def test_what_cannot_be_profiled_is_one_line(run_cli, tmp_path, monkeypatch):
    assert "resnet19" in one_line_error(run_cli("profile", "resnet19"))
    assert "expected four positive" in one_line_error(run_cli("profile", "resnet18", "--input", "1,3,224"))
    assert "figures are written as" in one_line_error(run_cli("profile", "resnet18", "--save", tmp_path / "p.txt"))
    assert "--precision goes with --train" in one_line_error(run_cli("profile", "resnet18", "--precision", "bfloat16"))
    monkeypatch.setattr(profile, "run_script", lambda *_: '{"seconds": [1.0]}\n')
    with pytest.raises(BackendError, match="oneDNN wrote no log"):
        profile.profile("resnet18", (1, 1, 32, 32), steps=1)
