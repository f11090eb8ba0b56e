"""Starting weights from a local file."""

import logging
import pickle
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from medauc.errors import InputError
from medauc.models.acs import ACSConv3d

_log = logging.getLogger(__name__)
_REMEDY = "give weights of this very network"


def load_weights(network: nn.Module, path: Path) -> list[str]:
    """Load the weights in a local file into ``network``, in place.

    The file holds tensors by the network's parameter names, as is or behind a common prefix ("module.").
    The last linear layer keeps its values where its shape differs, and so does the first convolution where
    its kernel has another size. A first convolution of other input channels is adapted: its kernels are
    summed over the file's channels and divided evenly among the network's, so a grey image scores as its
    copy on all of the file's channels did.

    Args:
        network: The network to fill.
        path: A ``.safetensors`` file, or a file that ``torch.load`` reads with ``weights_only=True``: a state
            dict, or a checkpoint with one under "state_dict". No code in the file is executed.

    Returns:
        One note for each layer that kept its values or was adapted; they are logged as warnings too.

    Raises:
        InputError: If the file is missing or unreadable, or its tensors do not fit the network.

    >>> import tempfile
    >>> from safetensors.torch import save_file
    >>> path = Path(tempfile.mkdtemp()) / "weights.safetensors"
    >>> source, target = [nn.Sequential(nn.Conv2d(c, 4, 3), nn.Flatten(), nn.Linear(4, 1)) for c in (3, 1)]
    >>> save_file(source.state_dict(), path)
    >>> load_weights(target, path)
    ['0.weight: 3 input channels adapted to 1']
    """
    first, head = _first_convolution(network), scoring_layer(network)
    stored = _strip_prefix(_read(path), f"{first}.weight", path)
    fitted: dict[str, Tensor] = {}
    notes: list[str] = []
    for key, own in network.state_dict().items():
        tensor = stored.pop(key, None)
        layer = key.rpartition(".")[0]
        if tensor is None:
            if layer == head or layer.startswith(f"{head}."):
                notes.append(f"{key}: not loaded, absent from the file")
            elif not key.endswith("num_batches_tracked"):  # files older than this counter lack it
                raise InputError(f"{path} has no tensor {key!r}; {_REMEDY}")
            tensor = own
        elif key == f"{first}.weight" and _differ_in_channels(tensor, own):
            notes.append(f"{key}: {tensor.shape[1]} input channels adapted to {own.shape[1]}")
            tensor = (tensor.sum(dim=1, keepdim=True) / own.shape[1]).expand_as(own)
        elif tensor.shape != own.shape:
            shapes = f"shape {tuple(tensor.shape)} in the file, {tuple(own.shape)} in the network"
            if layer not in (first, head) and not layer.startswith(f"{head}."):
                raise InputError(
                    f"{path} does not fit: {key!r} has {shapes}; give weights of this very network"
                )
            notes.append(f"{key}: not loaded, {shapes}")
            tensor = own
        fitted[key] = tensor
    unused = sorted(key for key in stored if not key.startswith(f"{head}."))
    if unused:
        raise InputError(
            f"{path} has {unused[0]!r}, which the network lacks; give weights of this very network"
        )
    network.load_state_dict(fitted)
    for note in notes:
        _log.warning("%s: %s", path, note)
    return notes


def _read(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a file by name, without executing anything in it."""
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise InputError(f"there is no weights file {path}; check the path") from None
    except (OSError, SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(
            f"cannot read weights from {path} ({reason}); give a .safetensors or .pt file of tensors only"
        ) from error
    if isinstance(content, dict):
        content = content.get("state_dict", content)
    if not isinstance(content, dict) or not all(isinstance(value, Tensor) for value in content.values()):
        raise InputError(f"{path} holds no state dict; save network.state_dict() there")
    return content


def _strip_prefix(stored: dict[str, Tensor], first_key: str, path: Path) -> dict[str, Tensor]:
    """Remove the prefix that ``first_key``, and with it the whole network, has in the file."""
    prefixes = [key.removesuffix(first_key) for key in stored if key.endswith(first_key)]
    if not prefixes:
        raise InputError(f"{path} has no tensor {first_key!r}; {_REMEDY}")
    prefix = min(prefixes, key=len)
    return {key.removeprefix(prefix): value for key, value in stored.items() if key.startswith(prefix)}


def _first_convolution(network: nn.Module) -> str:
    return _names(network, (nn.Conv2d, nn.Conv3d, ACSConv3d))[0]


def scoring_layer(network: nn.Module) -> str:
    """Name of the layer that makes the scores: the last linear one."""
    return _names(network, (nn.Linear,))[-1]


def _names(network: nn.Module, kinds: tuple[type[nn.Module], ...]) -> list[str]:
    return [name for name, module in network.named_modules() if isinstance(module, kinds)]


def _differ_in_channels(tensor: Tensor, own: Tensor) -> bool:
    """Tell whether two kernels (C_out, C_in, *size) differ in their input channels only."""
    return (
        tensor.dim() == own.dim()
        and tensor.shape[1] != own.shape[1]
        and (tensor.shape[0], *tensor.shape[2:]) == (own.shape[0], *own.shape[2:])
    )
