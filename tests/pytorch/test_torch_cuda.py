"""Tensors of CUDA: the bits of CPU tensors, by every way to draw. They need a GPU."""

import numpy as np
import pytest
from support import id_of
from support.frameworks import Framework
from tensor_bits import DTYPES, MATRIX_RULES, bits, torch

import weightinit_fast as wi

adapter = Framework("weightinit_fast.torch", after=torch)
tensors = Framework("weightinit_fast.torch.tensors", after=torch)
staging = Framework("weightinit_fast.torch.staging", after=torch)
frameworks = [adapter, tensors, staging]  # conftest.py imports them

KEY = wi.Key(3, 4)


@pytest.fixture(autouse=True)
def _needs_a_gpu():
    if not torch.cuda.is_available():
        pytest.skip("this machine has no GPU of CUDA")


def drawn(rule, shape, dtype="float32", stream="w"):
    """Return the bits that the package draws into memory of the CPU."""
    out = torch.empty(shape, dtype=getattr(torch, dtype))
    tensors.fill([(wi.initializer(rule), out, stream)], KEY)
    return bits(out)


def net():
    return torch.nn.Sequential(
        torch.nn.Linear(300, 200), torch.nn.ReLU(), torch.nn.Linear(200, 10, bias=False)
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rule", MATRIX_RULES, ids=id_of)
def test_tensors_and_parts(rule, dtype):
    shape, index = (12, 9), (slice(1, 12, 3), slice(2, 8))
    wanted = drawn(rule, shape, dtype)
    plain = torch.empty(shape, dtype=getattr(torch, dtype), device="cuda")
    strided = torch.empty(24, 9, dtype=plain.dtype, device="cuda")[::2]
    turned = torch.empty(9, 12, dtype=plain.dtype, device="cuda").T
    part = torch.empty(wanted[index].shape, dtype=plain.dtype, device="cuda")
    pieces = (plain, strided, turned, tensors.Part(part, shape, index))
    tensors.fill([(wi.initializer(rule), piece, "w") for piece in pieces], KEY)
    for held in (plain, strided, turned):
        np.testing.assert_array_equal(bits(held.cpu()), wanted)
        assert held._version == 1
    np.testing.assert_array_equal(bits(part.cpu()), wanted[index])


def test_many_pieces_through_two_pinned_buffers(monkeypatch):
    """Each buffer is drawn into again only when its copy has ended, on whatever stream that is."""
    made = []
    small = staging.Staging
    monkeypatch.setattr(tensors._module, "Staging", lambda: made.append(small(1 << 16)) or made[-1])
    wanted = drawn("normal(mean=1.0)", (1000, 999))
    busy = torch.ones(4096, 4096, device="cuda")
    for stream in (torch.cuda.current_stream(), torch.cuda.Stream()):
        tensor = torch.empty(1000, 999, device="cuda")
        torch.cuda.synchronize()
        with torch.cuda.stream(stream):
            for _ in range(20):  # so that the copies have to wait
                busy = busy @ busy * 0
            tensors.fill([(wi.initializer("normal(mean=1.0)"), tensor, "w")], KEY)
        np.testing.assert_array_equal(bits(tensor.cpu()), wanted)
    used = [one for one in made if one._buffers[1] is not None]
    assert len(used) == 2  # one for each tensor on the GPU; drawn() above needs none
    assert all(buffer.is_pinned() for one in used for buffer in one._buffers)


def test_a_tensor_of_several_full_pieces():
    shape = (3, 5_000_000)
    tensor = torch.empty(shape, device="cuda")
    adapter.init.normal_(tensor, rng=KEY, stream="w")
    np.testing.assert_array_equal(bits(tensor.cpu()), drawn("normal", shape))


def test_materialize():
    with torch.device("meta"):
        made = net()
    report = adapter.materialize(made, rng=KEY, device="cuda", dtype="bfloat16")
    here = net().to(torch.bfloat16)
    adapter.initialize(here, rng=KEY)
    assert len(report) == 3
    for (name, there), wanted in zip(made.named_parameters(), here.parameters(), strict=True):
        assert there.is_cuda, name
        np.testing.assert_array_equal(bits(there.cpu()), bits(wanted), name)


def test_initialize():
    there, here = net().cuda(), net()
    adapter.initialize(there, rng=KEY)
    adapter.initialize(here, rng=KEY)
    for one, wanted in zip(there.parameters(), here.parameters(), strict=True):
        np.testing.assert_array_equal(bits(one.cpu()), bits(wanted))


@pytest.mark.parametrize(
    "name", ["normal_", "uniform_", "trunc_normal_", "kaiming_normal_", "xavier_uniform_", "zeros_"]
)
def test_dropins(name):
    function = getattr(adapter.init, name)
    there, here = torch.empty(64, 33, device="cuda"), torch.empty(64, 33)
    keywords = {} if name == "zeros_" else {"rng": KEY, "stream": "w"}
    assert function(there, **keywords) is there
    function(here, **keywords)
    np.testing.assert_array_equal(bits(there.cpu()), bits(here))


def test_dropins_take_the_default_generator_of_the_cpu():
    made = []
    for device in ("cuda", "cpu"):
        torch.manual_seed(3)
        made.append(adapter.init.normal_(torch.empty(40, device=device)).cpu())
    assert torch.equal(*made)


def test_fast_init_leaves_other_devices_to_torch():
    torch.cuda.manual_seed(3)
    wanted = torch.empty(40, device="cuda").normal_()
    torch.cuda.manual_seed(3)
    with adapter.fast_init(rng=KEY):
        made = torch.empty(40, device="cuda").normal_()
    assert torch.equal(made, wanted)


def test_row_ids_are_refused():
    with pytest.raises(TypeError, match="rows of type Tensor cannot be read as an array"):
        wi.normal((10, 4), rows=torch.arange(3, device="cuda"), rng=KEY)


def test_signal():
    model = net().cuda()
    adapter.initialize(model, {"*.weight": "he_normal", "*.bias": "zeros"}, rng=KEY)
    report = adapter.signal(model, torch.randn(64, 300, device="cuda"))
    assert [row.layer for row in report.rows] == ["input", "0", "1", "2"]
    assert report.verdict == ["Nothing looks wrong."]
