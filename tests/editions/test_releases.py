"""The table of releases against d2l 1.0.3 itself, and what is said of a name that is not here."""

import ast
from importlib.machinery import PathFinder
from pathlib import Path

from gluon_resnet import d2l, d2lzh, gluonbook
from gluon_resnet.editions import releases

import pytest

from book import d2l_table
from tests.conftest import ROOT


def defined_in_d2l():
    """Functions, classes and variables at the top of the installed d2l's mxnet.py, read as text."""
    (folder,) = PathFinder.find_spec("d2l").submodule_search_locations
    names = set()
    for node in ast.parse(Path(folder, "mxnet.py").read_text(encoding="utf-8")).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return {name for name in names if not name.startswith("_")}


def test_the_names_of_1_0_are_those_of_the_installed_d2l():
    listed = {name for name, had in releases.table().items() if had.endswith((" to 1.0", "d2l 1.0"))}
    assert listed - {"USE_MXNET", "USE_PYTORCH", "USE_TENSORFLOW"} == defined_in_d2l() - {
        "USE_MXNET",
        "USE_PYTORCH",
        "USE_TENSORFLOW",
        "d2l",
    }


def test_every_name_of_d2l_1_0_3_is_in_the_drop_in():
    assert defined_in_d2l() - set(dir(d2l)) == set()
    assert d2l.np is not None and d2l.plt is not None and d2l.nn_Module is not None


# what the chapters of these editions call up to computer vision, found by reading them; text and sequences left out
CALLED_BY_THE_FIRST_EDITION = set(
    """Benchmark Residual VOCSegDataset VOC_COLORMAP bbox_to_rect corr2d data_iter
    download_voc_pascal evaluate_accuracy get_data_ch7 get_fashion_mnist_labels linreg load_data_fashion_mnist
    load_data_pikachu mkdir_if_not_exist plt read_voc_images resnet18 semilogy set_figsize sgd show_bboxes
    show_fashion_mnist show_images show_trace_2d squared_loss train train_2d train_ch3 train_ch5 train_ch7
    train_gluon_ch7 try_all_gpus try_gpu use_svg_display voc_colormap accuracy optimize""".split()  # noqa: SIM905
)
CALLED_SINCE_0_10 = ("benchmark", "download_voc_pascal", "load_data_pikachu", "mkdir_if_not_exist", "predict_ch3")
CALLED_SINCE_0_10 += ("train_ch3", "train_ch5", "train_epoch_ch3", "train_gluon_ch11")


def test_what_the_chapters_call_is_there():
    for name in CALLED_BY_THE_FIRST_EDITION:
        assert getattr(d2lzh, name) is not None and getattr(gluonbook, name) is getattr(d2lzh, name)
    for name in CALLED_SINCE_0_10:
        assert getattr(d2l, name) is not None


def test_an_unknown_name_is_one_line_with_the_nearest_and_the_releases_that_had_it():
    with pytest.raises(AttributeError) as error:
        d2l.predict_rnn  # noqa: B018
    assert "only in gluonbook 0.6 to 0.8; d2lzh 1.0; d2l 0.8 to 0.9" in str(error.value) and "\n" not in str(
        error.value
    )
    with pytest.raises(AttributeError, match="d2lzh has no 'train_chr5' .in no release.; did you mean train_ch5?"):
        d2lzh.train_chr5  # noqa: B018


def test_the_tables_of_the_document_are_current():
    text = (ROOT / "docs" / "d2l.md").read_text(encoding="utf-8")
    assert d2l_table.updated(text) == text
