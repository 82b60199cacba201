"""Networks without weights that compute all the same: of every tensor there are shape and type, and no numbers (torch's
fake tensors, which are private). And a meter of the memory that their computation would take.

Tested with torch 2.13.0.
"""

import weakref
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode, in_kernel_invocation_manager
from torch.autograd.graph import saved_tensors_hooks
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

CPU = torch.device("cpu")  # that of all fake tensors: torch has the code for it on every machine
LARGE = 2**20  # numbers of a new tensor from which on it is a fake one, whoever makes it
# What CUDA's automatic precision computes in float32, and the CPU's does not, as far as networks here have it.
EXACT_ON_CUDA = ("layer_norm", "group_norm", "rms_norm", "softmax.int", "pow.Tensor_Scalar")
# Operations whose results depend on more than shapes: on values, on a device, or on the order of numbers in memory.
NOT_PLAIN = {
    "_fused_sdp_choice",
    "index",
    "index_put",
    "index_put_",
    "nonzero",
    "_local_scalar_dense",
    "convolution",
    "convolution_backward",
}
NOT_PLAIN_ARGUMENTS = {"device", "repeats"}


class Imitation:
    """Makes fake tensors. Real ones may be mixed with them, such as token ids and masks, whose values are asked for."""

    def __init__(self) -> None:
        self.mode = FakeTensorMode(allow_non_fake_inputs=True)

    def like(self, tensor: Tensor, dtype: torch.dtype) -> Tensor:
        with self.mode:
            return torch.empty(tensor.shape, dtype=dtype, device=CPU)

    def by_shapes(self, func: Any, args: Any, kwargs: Any) -> Any:
        """What `func` makes of fake tensors alone, where nothing but their shapes and types matters."""
        with in_kernel_invocation_manager(self.mode):
            made = func(*args, **kwargs)
        if isinstance(made, tuple | list):
            return type(made)(map(self._wrapped, made))
        return self._wrapped(made)

    def _wrapped(self, value: Any) -> Any:
        is_new = isinstance(value, Tensor) and not isinstance(value, FakeTensor)
        return FakeTensor(self.mode, value, CPU) if is_new else value

    def fill(self, module: nn.Module, dtype: torch.dtype, *, exact: Collection[nn.Parameter]) -> None:
        """Gives a module on the device "meta" fake weights of this type, in float32 where they are among the `exact`.
        Buffers, and tensors that no module has registered, keep their types."""
        precise = {id(weight) for weight in exact}
        made: dict[int, nn.Parameter] = {}  # a weight with two names stays one
        for own in module.modules():
            for name, weight in list(own.named_parameters(recurse=False, remove_duplicate=False)):
                if id(weight) not in made:
                    type_ = dtype if weight.is_floating_point() else weight.dtype  # bytes of a quantised one stay such
                    fake = self.like(weight, torch.float32 if id(weight) in precise else type_)
                    made[id(weight)] = nn.Parameter(fake, requires_grad=False)
                setattr(own, name, made[id(weight)])
            for name, value in [*own.named_buffers(recurse=False), *vars(own).items()]:
                if isinstance(value, Tensor) and value.is_meta:
                    setattr(own, name, self.like(value, value.dtype))


class Meter(TorchDispatchMode):
    """How many bytes there are of what is made while it is entered: now (`live`), and at most (`peak`).

    The same without the gradients of weights that were given to `tell_apart`: `live_without`, `peak_without`.
    """

    def __init__(self, imitation: Imitation) -> None:
        super().__init__()
        self._imitation = imitation
        self._sizes: dict[int, int] = {}  # of storages, by their ids
        self._gradients: set[int] = set()
        self._plain: dict[Any, bool] = {}
        self.live = self.live_without = self.peak = self.peak_without = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = self._made(func, args, kwargs or {})
        for value in made if isinstance(made, tuple | list) else (made,):
            if isinstance(value, Tensor):
                self._note(value)
        return made

    def _made(self, func: Any, args: Any, kwargs: Any) -> Any:
        tensors = [value for value in _flat((*args, *kwargs.values())) if isinstance(value, Tensor)]
        if tensors and self._is_plain(func) and all(isinstance(tensor, FakeTensor) for tensor in tensors):
            try:
                return self._imitation.by_shapes(func, args, kwargs)
            except NotImplementedError:
                self._plain[func] = False
        if func is torch.ops.aten.index.Tensor:
            args = (args[0], [_places(index) for index in args[1]])
        elif _is_large_factory(args, kwargs):
            with self._imitation.mode:
                return func(*args, **kwargs)
        return func(*args, **kwargs)

    def _is_plain(self, func: Any) -> bool:
        """Whether shapes alone say what comes of it, so that much of what torch does for fake tensors can be left out:
        without that, a step of a large network takes minutes."""
        if func not in self._plain:
            names = {argument.name for argument in func._schema.arguments}
            library, _, own = func._schema.name.partition("::")
            self._plain[func] = library == "aten" and own not in NOT_PLAIN and not names & NOT_PLAIN_ARGUMENTS
        return self._plain[func]

    def begin(self) -> None:
        """The peaks begin anew."""
        self.peak, self.peak_without = self.live, self.live_without

    def pass_over(self, tensors: Iterable[Tensor]) -> None:
        """These are not counted: they are there already."""
        for tensor in tensors:
            self._sizes.setdefault(id(tensor.untyped_storage()), 0)

    @contextmanager
    def tell_apart(self, learning: Sequence[nn.Parameter]) -> Iterator[None]:
        """Within, their gradients are told from what else is made."""
        hooks = [weight.register_post_accumulate_grad_hook(self._set_apart) for weight in learning]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def _set_apart(self, weight: Tensor) -> None:
        assert weight.grad is not None
        own = id(weight.grad.untyped_storage())
        if own in self._sizes and own not in self._gradients:
            self._gradients.add(own)
            self.live_without -= self._sizes[own]

    def _note(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        own = id(storage)
        if own in self._sizes:
            return
        self._sizes[own] = size = storage.nbytes()
        weakref.finalize(storage, self._forget, own)
        self.live += size
        self.live_without += size
        self.peak = max(self.peak, self.live)
        self.peak_without = max(self.peak_without, self.live_without)

    def _forget(self, own: int) -> None:
        size = self._sizes.pop(own)
        self.live -= size
        if own in self._gradients:
            self._gradients.remove(own)
        else:
            self.live_without -= size


@contextmanager
def kept_elsewhere(weights: Iterable[Tensor]) -> Iterator[None]:
    """What the forward pass keeps for the backward pass is on no meter meanwhile, as where it lies in another memory.
    The weights stay."""
    own = {id(weight.untyped_storage()) for weight in weights}

    def pack(tensor: Tensor) -> Tensor | tuple[torch.Size, tuple[int, ...], torch.dtype]:
        stays = not isinstance(tensor, FakeTensor) or id(tensor.untyped_storage()) in own
        return tensor if stays else (tensor.shape, tensor.stride(), tensor.dtype)

    def unpack(kept: Tensor | tuple[torch.Size, tuple[int, ...], torch.dtype]) -> Tensor:
        return kept if isinstance(kept, Tensor) else torch.empty_strided(*kept[:2], dtype=kept[2], device=CPU)

    with saved_tensors_hooks(pack, unpack):
        yield


def _places(index: Tensor | None) -> Tensor | None:
    """Where a real mask of one dimension is true: of how many places there are, a fake one knows nothing."""
    if index is None or isinstance(index, FakeTensor) or index.dtype != torch.bool or index.ndim != 1:
        return index
    return index.nonzero()[:, 0]


def _flat(values: Any) -> Iterator[Any]:
    for value in values:
        if isinstance(value, list | tuple):
            yield from value
        else:
            yield value


def _is_large_factory(args: Any, kwargs: Any) -> bool:
    shape = args[0] if args and isinstance(args[0], list | tuple) else ()
    if not all(isinstance(count, int) for count in shape) or torch.Size(shape).numel() <= LARGE:
        return False
    return not any(isinstance(value, Tensor) for value in tree_iter((args, kwargs)))


@contextmanager
def automatic_precision_of(device: torch.device) -> Iterator[None]:
    """The CPU's automatic precision, which is that of fake tensors, casts what this device's would."""
    if device.type != "cuda":
        yield
        return
    library = torch.library.Library("aten", "IMPL")
    try:
        for name in EXACT_ON_CUDA:
            operation, _, overload = name.partition(".")
            library.impl(
                name, _in_float32(getattr(getattr(torch.ops.aten, operation), overload or "default")), "AutocastCPU"
            )
        yield
    finally:
        library._destroy()


def _in_float32(operation: Any) -> Any:
    own = torch._C.DispatchKeySet(torch._C.DispatchKey.AutocastCPU)

    def run(*args: Any, **kwargs: Any) -> Any:
        with torch._C._ExcludeDispatchKeyGuard(own):
            exact = {name: _exact(value) for name, value in kwargs.items()}
            return operation(*map(_exact, args), **exact)

    return run


def _exact(value: Any) -> Any:
    return value.float() if isinstance(value, Tensor) and value.is_floating_point() else value
