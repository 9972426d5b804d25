"""The rows of published.py: a file that others have published for one of our networks, every fact with its source.

    >>> ROWS[0].model, ROWS[0].file
    ('resnet18@torchvision', 'resnet18-f37072fd.pth')

What the sources do not say is left out. Sizes, parameters and multiply-adds are counted from the networks.

Sources, looked up in November 2026:
    torchvision: torchvision/models/resnet.py of 0.13 and later: addresses, accuracies, resize and crop; a file's name
        has the first 8 digits of its SHA-256, which torch.hub checks.
    timm: github.com/huggingface/pytorch-image-models, timm/models/resnet.py (crops, interpolation, mean, licence) and
        results/results-imagenet.csv (accuracies at the test size), commit aa4b585; SHA-256 from the files' pages on the
        Hugging Face Hub. Where the table has none, the Hub names it when it sends the file.
    keras: github.com/keras-team/keras, keras/src/applications/resnet.py (addresses, MD5); accuracies from the README of
        github.com/keras-team/keras-applications, commit 976050c, which does not say how the images were resized: they
        are squeezed here as in Keras' examples. Licence from the documentation of Keras 2.2.
    keras2016: keras_applications/resnet50.py of the same repository (address, MD5); licence from the README of
        github.com/fchollet/deep-learning-models, where the file is. Its accuracy is not stated.
    mxnet: mxnet.gluon.model_zoo.model_store of 1.9.1 (addresses, SHA-1); accuracies from docs/api/python/gluon/
        model_zoo.md of 1.4, which says that gluoncv's script trained them: images are prepared as gluoncv does.
    gluoncv: gluoncv.model_zoo.model_store of 0.10.5 (addresses, SHA-1); accuracies from docs/model_zoo/csv_tables/
        Classifications/ResNet.csv; images as in gluoncv/data/transforms/presets/imagenet.py.

The licence is that of the weights if their publisher states one, otherwise that of the library they are part of.
"""

import math
from dataclasses import dataclass
from typing import Optional
from urllib.parse import urlsplit

from ..networks.families import OWN_NAMES
from ..networks.layout import layout
from ..networks.specs import ResNetSpec, get_spec


@dataclass(frozen=True)
class Published:
    """One published file. ``resize`` to ``pixels`` say how images were prepared when ``top1`` was measured."""

    depth: int
    family: str
    tag: str
    source: str  # which of the sources above
    url: str
    file: str  # its name in the suite's cache; of a .zip file, that of the file in it
    licence: str
    top1: Optional[float]  # accuracy on ImageNet's validation images in percent, one crop each
    hash: str = ""  # "sha256:", "sha1:" or "md5:" and the digits, of SHA-256 perhaps only the first ones
    resize: Optional[int] = 256  # pixels of the shorter side before the crop; None squeezes the whole image
    crop: int = 224
    interpolation: Optional[str] = None  # Pillow's name for it; None if the source does not say
    pixels: str = "imagenet"  # how pixels become numbers: a row of NAMED in data/images.py

    @property
    def spec(self) -> ResNetSpec:
        """The network that the file is for."""
        return get_spec(self.depth, self.family)

    @property
    def model(self) -> str:
        """``resnet50@torchvision``."""
        return self.spec.name

    @property
    def size(self) -> int:
        """Bytes of the network's numbers as float32; the file has a little more."""
        return 4 * sum(math.prod(shape) for shape in layout(self.spec).params().values())

    @property
    def zipped(self) -> bool:
        """Is the file inside of a .zip file?"""
        return urlsplit(self.url).path.endswith(".zip")


def _name(depth: int, family: str) -> str:
    """What torchvision and timm call the network: ``resnet50``, ``resnext50_32x4d``."""
    return OWN_NAMES.get(family, "resnet{}").format(depth)


def _torchvision(
    depth: int, tag: str, digits: str, top1: float, resize: int = 256, family: str = "torchvision"
) -> Published:
    file = f"{_name(depth, family)}-{digits}.pth"
    return Published(
        depth,
        family,
        tag,
        "torchvision",
        f"https://download.pytorch.org/models/{file}",
        file,
        "BSD-3-Clause",  # timm/models/resnet.py states it for these files
        top1,
        f"sha256:{digits}",
        resize,
        interpolation="bilinear",
    )


def _timm(
    depth: int,
    tag: str,
    top1: float,
    crop: int,
    share: float,
    sha256: str = "",
    licence: str = "Apache-2.0",
    interpolation: str = "bicubic",
    pixels: str = "imagenet",
    family: str = "torchvision",
) -> Published:
    """``share`` is timm's crop_pct: the crop is that share of the shorter side, rounded down."""
    name = f"{_name(depth, family)}.{tag}_in1k"
    return Published(
        depth,
        family,
        tag,
        "timm",
        f"https://huggingface.co/timm/{name}/resolve/main/model.safetensors",
        f"{name}.safetensors",
        licence,
        top1,
        sha256 and f"sha256:{sha256}",
        int(crop / share),
        crop,
        interpolation,
        pixels,
    )


def _facebook(depth: int, tag: str, top1: float, family: str = "torchvision") -> Published:
    """timm's copies of weights from semi-supervised training, for non-commercial use only."""
    return _timm(depth, tag, top1, 224, 0.875, licence="CC-BY-NC-4.0", interpolation="bilinear", family=family)


def _keras(depth: int, md5: str, top1: float) -> Published:
    file = f"resnet{depth}_weights_tf_dim_ordering_tf_kernels.h5"
    url = f"https://storage.googleapis.com/tensorflow/keras-applications/resnet/{file}"
    return Published(depth, "keras", "keras", "keras", url, file, "MIT", top1, f"md5:{md5}", None, pixels="caffe")


def _keras2016(md5: str) -> Published:
    file = "resnet50_weights_tf_dim_ordering_tf_kernels.h5"  # keras has another file of this name
    url = f"https://github.com/fchollet/deep-learning-models/releases/download/v0.2/{file}"
    own = f"keras2016_{file}"
    return Published(
        50, "keras2016", "keras2016", "keras2016", url, own, "MIT", None, f"md5:{md5}", None, pixels="caffe"
    )


def _gluon(depth: int, family: str, source: str, name: str, sha1: str, top1: float) -> Published:
    """A file of MXNet's model zoo or of gluoncv, which share a place; the .params file is inside of a .zip file."""
    file = f"{name}-{sha1[:8]}"
    url = f"https://apache-mxnet.s3-accelerate.dualstack.amazonaws.com/gluon/models/{file}.zip"
    return Published(depth, family, source, source, url, f"{file}.params", "Apache-2.0", top1, f"sha1:{sha1}")


#: every file; the first row of a model and family is its default
ROWS = (
    _torchvision(18, "tv", "f37072fd", 69.758),
    _torchvision(34, "tv", "b627a593", 73.314),
    _torchvision(50, "tv2", "11ad3fa6", 80.858, 232),
    _torchvision(50, "tv", "0676ba61", 76.130),
    _torchvision(101, "tv2", "cd907fc2", 81.886, 232),
    _torchvision(101, "tv", "63fe2227", 77.374),
    _torchvision(152, "tv2", "f82ba261", 82.284, 232),
    _torchvision(152, "tv", "394f9c45", 78.312),
    _timm(18, "a1", 73.164, 288, 1.0, "80c49dee3da4822c009c5a7fe591e9223c5a2cfcf95a4067ca4dfb5a7b89c612"),
    _timm(18, "a2", 72.364, 288, 1.0),
    _timm(18, "a3", 68.250, 224, 0.95, "f049dd3c2e08176be8844dd123467fa5714cff1f141dcfe0ab4975e567f9de21"),
    _timm(18, "gluon", 70.844, 224, 0.875, "6991fcc0c58379a8496f6273b2f211e492f6af6494041fded649a482772ad2bf"),
    _facebook(18, "fb_ssl_yfcc100m_ft", 72.636),
    _facebook(18, "fb_swsl_ig1b_ft", 73.286),
    _timm(34, "a1", 77.930, 288, 1.0),
    _timm(34, "a2", 77.150, 288, 1.0),
    _timm(34, "a3", 72.996, 224, 0.95),
    _timm(34, "bt", 76.506, 288, 0.95),
    _timm(34, "ra4_e3600_r224", 78.972, 288, 1.0, pixels="half"),
    _timm(34, "gluon", 74.574, 224, 0.875),
    _timm(50, "a1", 81.240, 288, 1.0, "773525d5821de224f8f30c33377b7a795d7863e08522698200d3217d3f2a41bb"),
    _timm(50, "a1h", 80.654, 224, 1.0),
    _timm(50, "a2", 80.774, 288, 1.0, "f531f9aca4dde1b89e9a465c5b9e3b916a2d1b20a216acf3b9473d1e1212ecf6"),
    _timm(50, "a3", 78.052, 224, 0.95),
    _timm(50, "b1k", 80.708, 288, 1.0, "cd64707e0ef72aa0526ac6d46fba6495ad2088717adb47a62a0b526eb3cd3480"),
    _timm(50, "b2k", 80.466, 288, 1.0, "0c89502f61808f6fac8c7044eb59c072877c171529fc001bc85403982115232c"),
    _timm(50, "c1", 80.928, 288, 1.0),
    _timm(50, "c2", 80.862, 288, 1.0),
    _timm(50, "d", 81.012, 288, 1.0, "d8ed291891c8ee5777f68136665a4eee2f9ddeb2a9bc88acf4b1676b3bbebf55"),
    _timm(50, "ram", 79.982, 288, 0.95),
    _timm(50, "am", 79.004, 224, 0.875),
    _timm(50, "ra", 79.864, 288, 0.95, "c49195c94e4fe19545a332e706f998d836f63b5d9892cc54526df3ee9b92ba18"),
    _timm(50, "bt", 79.652, 288, 0.95),
    _timm(50, "gluon", 77.580, 224, 0.875),
    _facebook(50, "fb_ssl_yfcc100m_ft", 79.252),
    _facebook(50, "fb_swsl_ig1b_ft", 81.146),
    _timm(101, "a1h", 82.796, 288, 1.0, "1a076c0384295e7d3704f201c5711ff245507db934230bab72ff3014a95f90fe"),
    _timm(101, "a1", 82.326, 288, 1.0, "1ba5b660e7c175b3c27c557fc7dc8b2815be830c516815b0155f61b403f27380"),
    _timm(101, "a2", 82.218, 288, 1.0, "d44a7f2e7eaea0bee834ea5e7fd691d239057014628df0bd194c312773b92c83"),
    _timm(101, "a3", 79.836, 224, 0.95, "846baf57eaff38823a70bf63fe58052d2d6b93bd25d3b89c4d31f6909babba0b"),
    _timm(101, "gluon", 79.306, 224, 0.875),
    _timm(152, "a1h", 83.494, 288, 1.0),
    _timm(152, "a1", 82.742, 288, 1.0),
    _timm(152, "a2", 82.614, 288, 1.0),
    _timm(152, "a3", 80.548, 224, 0.95),
    _timm(152, "gluon", 79.712, 224, 0.875),
    _gluon(18, "torchvision", "gluoncv", "resnet18_v1b", "2d9d980c990442f826f20781ed039851e78dabe3", 70.94),
    _gluon(34, "torchvision", "gluoncv", "resnet34_v1b", "8e16b84814e84f64d897854003f049872991eaa6", 74.65),
    _gluon(50, "torchvision", "gluoncv", "resnet50_v1b", "0ecdba34691be172036ddf244ff1b2eade75ffde", 77.67),
    _gluon(101, "torchvision", "gluoncv", "resnet101_v1b", "a455932aa95cb7dcfa05fd040b9b5a5660733c39", 79.20),
    _gluon(152, "torchvision", "gluoncv", "resnet152_v1b", "a5a61ee1ce5ab7c09720775b223360f3c60e211d", 79.69),
    _gluon(18, "mxnet", "mxnet", "resnet18_v1", "a0666292f0a30ff61f857b0b66efc0228eb6a54b", 70.93),
    _gluon(34, "mxnet", "mxnet", "resnet34_v1", "48216ba99a8b1005d75c0f3a0c422301a0473233", 74.37),
    _gluon(50, "mxnet", "mxnet", "resnet50_v1", "0aee57f96768c0a2d5b23a6ec91eb08dfb0a45ce", 76.47),
    _gluon(50, "mxnet", "gluoncv", "resnet50_v1", "cc729d95031ca98cf2ff362eb57dee4d9994e4b2", 77.36),
    _gluon(101, "mxnet", "mxnet", "resnet101_v1", "d988c13d6159779e907140a638c56f229634cb02", 78.34),
    _gluon(152, "mxnet", "mxnet", "resnet152_v1", "671c637a14387ab9e2654eafd0d493d86b1c8579", 79.00),
    _gluon(152, "mxnet", "gluoncv", "resnet152_v1", "acfd09703b113143af9c33898bad8b6154fd6fb0", 79.22),
    _keras(50, "2cb95161c43110f7111970584f804107", 74.928),
    _keras(101, "f1aeb4b969a6efcfb50fad2f0c20cfc5", 76.420),
    _keras(152, "100835be76be38e30d865e96f2aaae62", 76.604),
    _keras2016("a7b3fe01876f51b976af0dea6bc144eb"),
    _gluon(18, "v2", "mxnet", "resnet18_v2", "a81db45fd7b7a2d12ab97cd88ef0a5ac48b8f657", 71.00),
    _gluon(34, "v2", "mxnet", "resnet34_v2", "9d6b80bbc35169de6b6edecffdd6047c56fdd322", 74.40),
    _gluon(50, "v2", "mxnet", "resnet50_v2", "ecdde35339c1aadbec4f547857078e734a76fb49", 77.11),
    _gluon(101, "v2", "mxnet", "resnet101_v2", "18e93e4f48947e002547f50eabbcc9c83e516aa6", 78.53),
    _gluon(152, "v2", "mxnet", "resnet152_v2", "f2695542de38cf7e71ed58f02893d82bb409415e", 79.21),
    _torchvision(50, "tv2", "1a0047aa", 81.198, 232, "resnext_32x4d"),
    _torchvision(50, "tv", "7cdf4587", 77.618, family="resnext_32x4d"),
    _timm(50, "a1h", 82.016, 288, 1.0, family="resnext_32x4d"),
    _timm(50, "a1", 81.480, 288, 1.0, family="resnext_32x4d"),
    _timm(50, "a2", 81.304, 288, 1.0, family="resnext_32x4d"),
    _timm(50, "a3", 79.258, 224, 0.95, family="resnext_32x4d"),
    _timm(50, "ra", 80.720, 288, 0.95, family="resnext_32x4d"),
    _timm(50, "gluon", 79.354, 224, 0.875, family="resnext_32x4d"),
    _facebook(50, "fb_ssl_yfcc100m_ft", 80.316, "resnext_32x4d"),
    _facebook(50, "fb_swsl_ig1b_ft", 82.162, "resnext_32x4d"),
    _timm(101, "gluon", 80.336, 224, 0.875, family="resnext_32x4d"),
    _facebook(101, "fb_ssl_yfcc100m_ft", 80.936, "resnext_32x4d"),
    _facebook(101, "fb_swsl_ig1b_ft", 83.268, "resnext_32x4d"),
    _torchvision(101, "tv2", "110c445d", 82.834, 232, "resnext_32x8d"),
    _torchvision(101, "tv", "8ba56ff5", 79.312, family="resnext_32x8d"),
    _facebook(101, "fb_wsl_ig1b_ft", 82.720, "resnext_32x8d"),
    _facebook(101, "fb_ssl_yfcc100m_ft", 81.620, "resnext_32x8d"),
    _facebook(101, "fb_swsl_ig1b_ft", 84.276, "resnext_32x8d"),
    _torchvision(101, "tv", "173b62eb", 83.246, 232, "resnext_64x4d"),
    _timm(101, "c1", 83.158, 288, 1.0, family="resnext_64x4d"),
    _timm(101, "gluon", 80.640, 224, 0.875, family="resnext_64x4d"),
    _torchvision(50, "tv2", "9ba9bcbe", 81.602, 232, "wide"),
    _torchvision(50, "tv", "95faca4d", 78.468, family="wide"),
    _timm(50, "racm", 82.260, 288, 0.95, family="wide"),
    _torchvision(101, "tv2", "d733dc28", 82.510, 232, "wide"),
    _torchvision(101, "tv", "32ee1156", 78.848, family="wide"),
    _timm(18, "ra2", 73.790, 288, 0.95, family="resnet_d"),
    _timm(18, "ra4_e3600_r224", 76.012, 288, 1.0, pixels="half", family="resnet_d"),
    _timm(34, "ra2", 78.440, 288, 0.95, family="resnet_d"),
    _timm(50, "ra2", 81.354, 288, 0.95, family="resnet_d"),
    _timm(50, "ra4_e3600_r224", 81.840, 288, 1.0, pixels="half", family="resnet_d"),
    _timm(50, "a1", 81.466, 288, 1.0, family="resnet_d"),
    _timm(50, "a2", 81.164, 288, 1.0, family="resnet_d"),
    _timm(50, "a3", 78.742, 224, 0.95, family="resnet_d"),
    _timm(50, "gluon", 79.080, 224, 0.875, family="resnet_d"),
    _timm(101, "ra2", 83.020, 320, 1.0, family="resnet_d"),
    _timm(101, "gluon", 80.466, 224, 0.875, family="resnet_d"),
    _timm(152, "ra2", 83.684, 320, 1.0, family="resnet_d"),
    _timm(152, "gluon", 80.476, 224, 0.875, family="resnet_d"),
)
