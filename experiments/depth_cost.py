"""What depth costs, from 18 to 152 layers: parameters, multiply-adds, time and peak memory of training and predicting.

For example:

    gluon-resnet run depth_cost
"""

CONFIG = {
    "kind": "cost",
    "arms": {"resnet18": {}, "resnet34": {}, "resnet50": {}, "resnet101": {}, "resnet152": {}},
}

CLAIM = {
    "statement": "training time follows the multiply-adds of the paper's Table 1, within a quarter",
    "source": "He et al., arXiv 1512.03385, Table 1, counted: 1.814, 3.664, 3.858, 7.570, 11.282 G, as ratios to "
    "ResNet-18; the quarter is this suite's",
    "checks": [
        {"metric": "train_ms", "arm": "resnet34", "over": "resnet18", "low": 1.51, "high": 2.52},
        {"metric": "train_ms", "arm": "resnet50", "over": "resnet18", "low": 1.60, "high": 2.66},
        {"metric": "train_ms", "arm": "resnet101", "over": "resnet18", "low": 3.13, "high": 5.22},
        {"metric": "train_ms", "arm": "resnet152", "over": "resnet18", "low": 4.66, "high": 7.77},
    ],
}
