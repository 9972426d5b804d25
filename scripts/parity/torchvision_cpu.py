"""torchvision, also with torch's CPU build: from torchvision_cpu import torchvision"""

import torch

try:
    import torchvision  # noqa: F401
except RuntimeError:
    # PyPI's torchvision is built for torch with CUDA; with torch's CPU build its compiled operators do not load. No
    # ResNet needs them, but the import describes these two and stops where nobody has declared them.
    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    import torchvision  # noqa: F401
