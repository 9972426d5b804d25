"""The table of published weights against the libraries that publish them and against numbers they state."""

import re

import gluon_resnet as gr
from gluon_resnet.data.images import NAMED, as_published, to_train
from gluon_resnet.errors import ModelError, WeightsError
from gluon_resnet.weights.published import FAMILIES, ROWS, find, is_name, rows_of

import gluoncv.model_zoo.model_store as gluoncv_store
import mxnet.gluon.model_zoo.model_store as mxnet_store
import pytest

from tests.conftest import one_line_error

#: MB of 2**20 bytes that torchvision's documentation states for its files, and their billions of multiply-adds
TORCHVISION = {
    ("resnet18", "tv"): (44.661, 1.814),
    ("resnet34", "tv"): (83.275, 3.664),
    ("resnet50", "tv"): (97.781, 4.089),
    ("resnet50", "tv2"): (97.79, 4.089),
    ("resnet101", "tv"): (170.511, 7.801),
    ("resnet101", "tv2"): (170.53, 7.801),
    ("resnet152", "tv"): (230.434, 11.514),
    ("resnet152", "tv2"): (230.474, 11.514),
    ("resnext50_32x4d", "tv"): (95.789, 4.23),
    ("resnext50_32x4d", "tv2"): (95.833, 4.23),
    ("resnext101_32x8d", "tv"): (339.586, 16.414),
    ("resnext101_32x8d", "tv2"): (339.673, 16.414),
    ("resnext101_64x4d", "tv"): (319.318, 15.46),
    ("wide_resnet50_2", "tv"): (2 * 131.82, 11.398),  # a file of float16
    ("wide_resnet50_2", "tv2"): (263.124, 11.398),
    ("wide_resnet101_2", "tv"): (2 * 242.896, 22.753),  # a file of float16
    ("wide_resnet101_2", "tv2"): (484.747, 22.753),
}
#: MB of 10**6 bytes on the files' pages on the Hugging Face Hub; of the others the millions of parameters in timm's
#: table of results
HUB = {18: 46.8, 34: 87.3, 50: 102, 101: 179, 152: 241}
MILLIONS = {
    "resnext50_32x4d": 25.03,
    "resnext101_32x4d": 44.18,
    "resnext101_32x8d": 88.79,
    "resnext101_64x4d": 83.46,
    "wide_resnet50_2": 68.88,
    "resnet18d": 11.71,
    "resnet34d": 21.82,
    "resnet50d": 25.58,
    "resnet101d": 44.57,
    "resnet152d": 60.21,
}
#: MB on keras.io; parameters in the documentation of MXNet's model zoo, which counts the batch norms' statistics
KERAS = {50: 98, 101: 171, 152: 232}
ZOO = {18: 11_699_112, 34: 21_814_696, 50: 25_629_032, 101: 44_695_144, 152: 60_404_072}


def name_of(row):
    return row.model.partition("@")[0]


def by_source(source):
    return [row for row in ROWS if row.source == source]


def test_the_addresses_and_hashes_of_gluon_are_those_of_the_libraries():
    for source, store in (("mxnet", mxnet_store), ("gluoncv", gluoncv_store)):
        rows = by_source(source)
        assert len(rows) == {"mxnet": 10, "gluoncv": 7}[source]
        for row in rows:
            name = row.file.partition("-")[0]
            assert row.hash == f"sha1:{store._model_sha1[name]}"
            file = f"{name}-{store.short_hash(name)}"
            assert row.file == f"{file}.params"
            assert row.url == store._url_format.format(repo_url=store.apache_repo_url, file_name=file)
            version = {"mxnet": "v1", "v2": "v2", "torchvision": "v1b"}[row.family]
            assert name == f"resnet{row.depth}_{version}"


def test_torchvisions_hashes_are_in_the_names_of_its_files():
    rows = by_source("torchvision")
    assert {(name_of(row), row.tag) for row in rows} == set(TORCHVISION)
    for row in rows:
        digits = re.fullmatch(rf"https://download\.pytorch\.org/models/{name_of(row)}-([0-9a-f]{{8}})\.pth", row.url)
        assert row.hash == f"sha256:{digits[1]}"


def test_timms_crops_are_the_shares_that_its_table_of_results_states():
    """The short side is the crop divided by the share, rounded down: transforms_imagenet_eval in timm."""
    sides = {(288, 288), (303, 288), (224, 224), (235, 224), (256, 224)}  # 1.0, 0.95, 1.0, 0.95, 0.875
    sides.add((320, 320))  # 1.0
    assert {(row.resize, row.crop) for row in by_source("timm")} == sides
    assert find("a1", "resnet50").resize == 288 and find("a3", "resnet50").resize == 235
    assert {row.interpolation for row in by_source("timm") if not row.tag.startswith("fb_")} == {"bicubic"}


def test_sizes_and_multiply_adds_are_near_what_is_stated():
    for row in ROWS:
        megabytes = row.size / 1e6
        if row.source == "torchvision":
            stated, ops = TORCHVISION[name_of(row), row.tag]
            assert megabytes == pytest.approx(stated * 2**20 / 1e6, rel=3e-3)
            [counted] = gr.published_weights(f"{row.model}:{row.tag}*")["multiply_adds"].head(1)
            assert round(counted / 1e9, 3) == ops
        elif row.source == "timm" and row.family != "torchvision":
            assert row.size / 4e6 == pytest.approx(MILLIONS[name_of(row)], rel=5e-3)  # with the running statistics
        elif row.source == "timm":
            assert megabytes == pytest.approx(HUB[row.depth], rel=5e-3)
        elif row.source == "keras":
            assert megabytes == pytest.approx(KERAS[row.depth] * 2**20 / 1e6, rel=1e-2)
        elif row.family == "mxnet":
            assert row.size == 4 * ZOO[row.depth]


def test_every_row_is_complete_and_no_two_share_a_file():
    for row in ROWS:
        assert row.url.startswith("https://") and row.licence and row.family in FAMILIES
        assert re.fullmatch(r"(sha256:([0-9a-f]{8}|[0-9a-f]{64})|sha1:[0-9a-f]{40}|md5:[0-9a-f]{32})?", row.hash)
        assert row.hash or row.url.startswith("https://huggingface.co/")  # which names the hash when it is asked
        assert row.pixels in NAMED and row.spec.num_classes == 1000
        assert row.top1 is None or 60 < row.top1 < 85
    assert len({row.file for row in ROWS}) == len({row.url for row in ROWS}) == len(ROWS)
    assert len({(row.model, row.tag) for row in ROWS}) == len(ROWS)
    assert {row.depth for row in ROWS} == {18, 34, 50, 101, 152}


def test_which_row_a_name_means(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for weights, model, url in (
        ("imagenet", "resnet50", "resnet50-11ad3fa6.pth"),
        ("imagenet:tv", "resnet50", "resnet50-0676ba61.pth"),
        ("tv", "ResNet50@torchvision", "resnet50-0676ba61.pth"),
        ("imagenet", "resnet18", "resnet18-f37072fd.pth"),
        ("imagenet:a1_in1k", "resnet34", "resnet34.a1_in1k/resolve/main/model.safetensors"),
        ("imagenet:A1", "resnet34:B", "resnet34.a1_in1k/resolve/main/model.safetensors"),
        ("imagenet", "resnet50@keras", "resnet/resnet50_weights_tf_dim_ordering_tf_kernels.h5"),
        ("imagenet:keras", "resnet101", "resnet101_weights_tf_dim_ordering_tf_kernels.h5"),
        ("imagenet", "resnet34@mxnet", "resnet34_v1-48216ba9.zip"),
        ("imagenet", "resnet34@v2", "resnet34_v2-9d6b80bb.zip"),
        ("gluoncv", "resnet50", "resnet50_v1b-0ecdba34.zip"),
        ("imagenet", "resnext50_32x4d", "resnext50_32x4d-1a0047aa.pth"),
        ("ra2", "resnet50d", "timm/resnet50d.ra2_in1k/resolve/main/model.safetensors"),
        ("imagenet:tv", "wide_resnet101_2", "wide_resnet101_2-32ee1156.pth"),
        ("gluoncv", "resnet50@mxnet", "resnet50_v1-cc729d95.zip"),
    ):
        assert find(weights, model).url.endswith(url), (weights, model)


def test_a_file_goes_before_a_tag_but_not_before_imagenet(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert is_name("a1") and is_name("imagenet") and is_name("imagenet:a1")
    for name in ("a1", "imagenet"):
        (tmp_path / name).write_text("")
    assert not is_name("a1") and is_name("imagenet") and find("a1", "resnet50") is None
    for path in ("./imagenet", "imagenet.pth", "weights/a1", "a9", tmp_path / "imagenet", "c:a1"):
        assert not is_name(path)


@pytest.mark.parametrize(
    "weights, model, words",
    [
        (
            "imagenet:a9",
            "resnet18",
            "imagenet:a9: no tag of resnet18: known are tv, a1, a2, a3, gluon, ",
        ),
        ("c1", "resnet18", "c1: no tag of resnet18: known are tv, "),
        ("imagenet:gluoncv1", "resnet18", "no tag of resnet18: did you mean gluoncv? known are tv, "),
        (
            "imagenet:keras",
            "resnet50@mxnet",
            "no tag of resnet50@mxnet: known are mxnet, gluoncv (gluon-resnet models)",
        ),
        ("imagenet", "plain34", "imagenet: no published weights of plain34 are known: expected a model of resnet18@"),
        ("imagenet", "resnet18@keras", "no published weights of resnet18@keras"),
        ("imagenet", "resnet50@d2l", "no published weights of resnet50@d2l"),
        ("imagenet", "resnet50:A", "no published weights of resnet50:A"),
    ],
)
def test_names_that_mean_nothing(weights, model, words):
    with pytest.raises(WeightsError) as refusal:
        find(weights, model)
    assert words in str(refusal.value) and "\n" not in str(refusal.value)


def test_an_unknown_word_on_the_command_line(run_cli, tmp_path):
    """Neither a file nor a name: nothing is asked for."""
    for words, expected in (
        (
            ("--weights", "imagnet"),
            "imagnet: neither a file nor a tag of resnet50: did you mean imagenet? known are tv2, ",
        ),
        (("--weights", "imagenet:b1"), "imagenet:b1: no tag of resnet50: did you mean b1k? known are tv2, "),
        (("--weights", "none.pth"), "none.pth: cannot be read: No such file or directory"),
        (("--model", "resnet51", "--weights", "imagenet"), "unknown model 'resnet51': did you mean resnet50? "),
    ):
        line = one_line_error(run_cli("predict", "cat.png", *words, cwd=tmp_path))
        assert line.startswith(f"gluon-resnet: {expected}"), line


def test_preparations_by_hand(tmp_path):
    assert as_published(tmp_path / "net.pth", "resnet50") is None
    tv2, a1, half, caffe, zoo = (
        as_published(weights, model)
        for weights, model in (
            ("imagenet", "resnet50"),
            ("imagenet:a1", "resnet50"),
            ("imagenet:ra4_e3600_r224", "resnet34"),
            ("imagenet", "resnet50@keras"),
            ("imagenet", "resnet50@mxnet"),
        )
    )
    assert (tv2.resize, tv2.crop, tv2.interpolation) == (232, 224, "bilinear")
    assert (a1.resize, a1.crop, a1.interpolation) == (288, 288, "bicubic")
    assert tv2.mean == a1.mean == zoo.mean == (0.485, 0.456, 0.406) and half.mean == half.std == (0.5, 0.5, 0.5)
    assert caffe.bgr and caffe.scale == 1 and (caffe.resize, caffe.crop) == (None, 224)
    assert (zoo.resize, zoo.crop, zoo.interpolation) == (256, 224, None)


def test_training_takes_the_numbers_but_not_the_crop():
    own = to_train("torchvision", None, "resnet34")
    assert to_train("torchvision", "imagenet:a1", "resnet34") == own and own.resize == 256
    half = to_train("torchvision", "imagenet:ra4_e3600_r224", "resnet34")
    assert half.mean == (0.5, 0.5, 0.5) and (half.resize, half.crop, half.interpolation) == (256, 224, None)


def test_the_rows_of_a_model_begin_with_torchvisions():
    assert [row.tag for row in rows_of("resnet18")] == [
        *("tv", "a1", "a2", "a3", "gluon", "fb_ssl_yfcc100m_ft", "fb_swsl_ig1b_ft", "gluoncv"),
        *("mxnet", "mxnet"),
    ]


def test_the_table_of_models():
    table = gr.published_weights()
    assert len(table[table["tag"].notna()]) == len(ROWS)
    names = table["model"] + "@" + table["family"]
    assert {"resnet18@keras", "cifar_resnet20@cifar", "plain18@d2l"} <= set(names[table["tag"].isna()])
    zoo = gr.published_weights("resnet50@mxnet").iloc[0]
    assert (zoo["model"], zoo["family"], zoo["tag"], zoo["image"]) == ("resnet50", "mxnet", "mxnet", 224)
    assert gr.published_weights("resnet5?@keras")["tag"].tolist() == ["keras"]
    with pytest.raises(ModelError, match="no model matches 'resnet51': did you mean resnet50"):
        gr.published_weights("resnet51")


def test_models_on_the_command_line(run_cli):
    heads, _, line = (line.split() for line in run_cli("models", "resnet152@keras:").stdout.splitlines())
    assert " ".join(heads) == "model family parameters tag top-1 image multiply-adds size licence"
    # keras.io counts 60,419,944 numbers, 151,424 of them statistics of batch norms
    assert line[:6] == ["resnet152", "keras", f"{60_419_944 - 151_424:,}", "keras", "76.60", "224"]
    assert line[-3:] == [str(round(4 * 60_419_944 / 1e6)), "MB", "MIT"]
    csv = run_cli("models", "18", "--format", "csv").stdout.splitlines()
    assert csv[0].startswith("model,family,parameters,") and "46796448" in csv[1]
    assert '"sha256:f37072fd"' in run_cli("models", "resnet18@torchvision:tv", "--format", "json").stdout
    assert "no model matches 'vgg'" in one_line_error(run_cli("models", "vgg"))
