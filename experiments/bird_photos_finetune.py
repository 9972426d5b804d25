"""ImageNet-trained networks go on with bird photographs like article 000's: SGD 0.001, momentum 0.9, 5 epochs.

    gluon-resnet run bird_photos_finetune --data bird_photos --weights FOLDER

Neither pictures nor weights are part of the suite; FOLDER holds resnet18.safetensors and resnet50.safetensors. These
weights have their batch norms folded, so batch norm keeps its statistics (freeze_norm). All layers of a ResNet-50
overshoot on so few pictures: its first three stages stay as they are, its head learns ten times faster,
and the rate falls.
"""

CONFIG = {
    "kind": "pictures",
    "shared": {
        "data": "bird_photos",
        "reading": "exact",  # as the results were measured
        "new_head": True,
        "optimizer": "sgd",
        "momentum": 0.9,
        "freeze_norm": True,
        "epochs": 5,
        "crop": True,
        "flip": 0.5,
    },
    "arms": {
        "ResNet-18": {"model": "resnet18", "weights": "resnet18.safetensors"},
        "ResNet-50": {
            "model": "resnet50",
            "weights": "resnet50.safetensors",
            "freeze_stages": 3,
            "head_lr": 10.0,
            "schedule": "cosine",
        },
    },
}

CLAIM = {
    "statement": "what ImageNet taught is worth more than ten epochs on 192 photographs: at least 0.95 right with "
    "ResNet-50 in 15 minutes, at least 0.90 with ResNet-18",
    "source": "what was asked of this suite",
    "checks": [
        {"metric": "test_acc", "arm": "ResNet-50", "low": 0.95, "high": 1.0},
        {"metric": "train_seconds", "arm": "ResNet-50", "high": 900},
        {"metric": "test_acc", "arm": "ResNet-18", "low": 0.90, "high": 1.0},
    ],
}
