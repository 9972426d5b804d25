"""What the parity tests compare: library -> case -> (our model, the weight files that hold it). Read by both sides.

Each case is a folder LIBRARY/CASE with these files and X.npy (2, 3, 64, 64) and y_hat.npy (2, classes), both float32.
CIFAR's pictures are (2, 3, 32, 32), those of the variants (2, 3, 80, 72).
"""

DEPTHS = (18, 34, 50, 101, 152)
DEEP = (50, 101, 152)
#: networks that torchvision and timm share; of those with 300 MB and more a file is written once
BOTH = {"resnext50_32x4d": True, "wide_resnet50_2": True, "resnext101_32x8d": False, "wide_resnet101_2": False}
TIMM_ALONE = ("resnext101_32x4d", *(f"resnet{depth}d" for depth in DEPTHS))

CASES = {
    "keras": dict(
        **{f"keras3-resnet{depth}": (f"resnet{depth}@keras", ("whole.h5", "net.weights.h5")) for depth in DEEP},
        **{
            "keras3-archive": ("resnet50@keras", ("net.keras",)),
            "keras3-in-a-sequential": ("resnet50@keras", ("whole.h5", "net.weights.h5")),
            "article-000": ("resnet50@keras2016", ("whole.h5", "net.weights.h5", "without-names.weights.h5")),
            "names-of-2016": ("resnet50@keras2016", ("whole.h5", "net.weights.h5", "as-in-2016.h5")),
        },
    ),
    "keras2": dict(
        **{f"keras2-resnet{depth}": (f"resnet{depth}@keras", ("weights.h5",)) for depth in DEEP},
        **{
            "keras2-whole": ("resnet50@keras", ("whole.h5", "net.weights.h5", "net.keras")),
            "keras2-probs": ("resnet50@keras", ("weights.h5",)),
        },
    ),
    "pytorch": {
        f"resnet{depth}": (
            f"resnet{depth}@torchvision",
            ("torchvision.pth", "torchvision-legacy.pth", "timm.safetensors"),
        )
        for depth in DEPTHS
    },
    "variants": dict(
        **{name: (name, ("torchvision.pth", "timm.safetensors")[: 1 + twice]) for name, twice in BOTH.items()},
        **{name: (name, ("timm.safetensors",)) for name in ("resnext101_64x4d", *TIMM_ALONE)},
    ),
    # networks of the usual CIFAR code's structure, each saved in both of torch.save's formats
    "cifar": {
        "option-a-20": ("cifar_resnet20", ("net.th", "net.pt")),
        "option-a-56": ("cifar_resnet56", ("net.th",)),
        "option-b-20": ("cifar_resnet20:B", ("net.th", "net.pt")),
    },
    "gluoncv": dict(
        **{f"v1-resnet{depth}": (f"resnet{depth}@mxnet", ("net.params",)) for depth in DEPTHS},
        **{f"v1b-resnet{depth}": (f"resnet{depth}@torchvision", ("net.params",)) for depth in DEPTHS},
        **{
            f"mxnet-zoo-resnet{depth}": (f"resnet{depth}@mxnet", ("net.params", "net-0000.params"))
            for depth in (18, 50)
        },
    ),
}
