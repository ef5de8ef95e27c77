"""torchvision, beside a torch without CUDA too, which its compiled operators do not fit; nothing here needs those."""

import sys
import types

try:
    import torchvision
except RuntimeError:
    sys.modules["torchvision._meta_registrations"] = types.ModuleType("torchvision._meta_registrations")
    import torchvision

__all__ = ["torchvision"]
