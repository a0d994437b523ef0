"""What torch does around fast_init goes on as before: compilers, tracers, processes, copies."""

import copy
import io
import json
import linecache
import os
import pickle
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from support.frameworks import Framework

import weightinit_fast as wi

torch = Framework("torch")
adapter = Framework("weightinit_fast.torch")
init = Framework("torch.nn.init")
fake_tensor = Framework("torch._subclasses.fake_tensor")
proxy_tensor = Framework("torch.fx.experimental.proxy_tensor")
python_dispatch = Framework("torch.utils._python_dispatch")

HERE = Path(__file__).parent


def drawn(rule, shape, stream, rng=0, **own):
    return torch.from_numpy(getattr(wi, rule)(shape, rng=rng, stream=stream, **own))


def small_model():
    return torch.nn.Sequential(
        torch.nn.Linear(6, 8), torch.nn.ReLU(), torch.nn.Dropout(0.5), torch.nn.Linear(8, 3)
    )


# Compilers and tracers ----------------------------------------------------------------------------


def initialise(x):
    torch.nn.init.normal_(x)
    torch.nn.init.kaiming_uniform_(x)
    return torch.nn.init.uniform_(x, -1.0, 1.0)


def scripted(function):
    """Compile a function in which `torch` is the module itself, as the compiler wants it."""
    source = f"import torch\ndef compiled(x: torch.Tensor) -> torch.Tensor:\n    {function}\n"
    folder = {"__name__": "scripted_functions"}
    # The compiler reads the source from a file.
    with tempfile.NamedTemporaryFile("w", suffix=".py", delete=False) as file:
        file.write(source)
    try:
        exec(compile(source, file.name, "exec"), folder)
        linecache.checkcache(file.name)
        return sys.modules["torch"].jit.script(folder["compiled"])
    finally:
        os.unlink(file.name)


SCRIPTS = [
    "return torch.nn.init.normal_(x)",
    "return torch.nn.init.uniform_(x, -1.0, 1.0)",
    "return torch.nn.init.kaiming_uniform_(x)",
    "return torch.nn.init.xavier_normal_(x)",
    "return x.normal_()",
]


def script_outcome(source):
    try:
        function = scripted(source)
    except (RuntimeError, ValueError):  # torch 2.13 refuses kaiming_uniform_ for its annotations
        return ("refused",)
    drawn = function(torch.full((40, 50), 9.0))
    return "compiled", [node.kind() for node in function.graph.nodes()], drawn.max() < 9


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("source", SCRIPTS)
def test_functions_are_scripted_as_ever(source):
    # The compiler keeps the functions of torch that it has compiled: so the block comes first.
    with adapter.fast_init(0):
        inside = script_outcome(source)
    assert inside == script_outcome(source)
    assert (inside[0] == "compiled") == ("kaiming" not in source)  # as torch 2.13 does


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_scripted_module_is_built_and_runs():
    with adapter.fast_init(0):
        model = torch.jit.script(torch.nn.Linear(4, 5))
        out = model(torch.ones(1, 4))
    assert out.shape == (1, 5)
    assert torch.allclose(model.weight, drawn("uniform", (5, 4), 0, low=-0.5, high=0.5))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_trace_holds_torchs_operators():
    def graph():
        traced = torch.jit.trace(
            lambda x: init.normal_(torch.empty_like(x)) + x, torch.ones(3), check_trace=False
        )
        return [node.kind() for node in traced.graph.nodes()]

    wanted = graph()
    with adapter.fast_init(0):
        found = graph()
    assert "aten::normal_" in found
    assert found == wanted == graph()


def test_make_fx_sees_torchs_operators():
    def graph():
        traced = proxy_tensor.make_fx(lambda x: init.uniform_(init.normal_(torch.empty_like(x))))
        return [str(node.target) for node in traced(torch.ones(3)).graph.nodes]

    wanted = graph()
    with adapter.fast_init(0):
        found = graph()
    assert "aten.normal_.default" in wanted
    assert found == wanted == graph()


def test_fake_tensors_stay_fake():
    with adapter.fast_init(0):
        with fake_tensor.FakeTensorMode():
            layer = torch.nn.Linear(5, 6)
            torch.nn.init.xavier_normal_(layer.weight)
        a = torch.empty(3).normal_()
    assert isinstance(layer.weight, fake_tensor.FakeTensor)
    assert torch.equal(a, drawn("normal", 3, 0))


def test_meta_tensors_are_left_alone():
    with adapter.fast_init(0):
        with torch.device("meta"):
            layer = torch.nn.Linear(5, 6)
            torch.nn.init.trunc_normal_(layer.weight)
        a = torch.empty(3).normal_()
    assert layer.weight.is_meta
    assert torch.equal(a, drawn("normal", 3, 0))


def test_a_dispatch_mode_sees_every_operator():
    class Log(python_dispatch.TorchDispatchMode):
        def __init__(self):
            super().__init__()
            self.seen = []

        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            self.seen.append(str(function))
            return function(*args, **(kwargs or {}))

    def seen():
        with Log() as log:
            torch.nn.Linear(4, 5)
        return log.seen

    wanted = seen()
    with adapter.fast_init(0):
        assert seen() == wanted
    assert "aten.uniform_.default" in wanted


def test_a_function_mode_sees_every_function():
    def log():
        seen = []

        class Log(sys.modules["torch"].overrides.TorchFunctionMode):
            def __torch_function__(self, function, types, args=(), kwargs=None):
                seen.append(getattr(function, "__name__", str(function)))
                return function(*args, **(kwargs or {}))

        with Log():
            torch.nn.Linear(4, 5)
        return seen

    wanted = log()
    with adapter.fast_init(0):
        found = log()
    assert "kaiming_uniform_" in wanted
    assert found == wanted


def test_vmap_draws_for_each_entry_of_a_batch():
    x = torch.empty(400, 5)
    with adapter.fast_init(0):
        different = torch.vmap(lambda v: v.normal_(), randomness="different")(x)
        with pytest.raises(RuntimeError, match="vmap"):
            torch.vmap(lambda v: torch.randn(3) + v, randomness="error")(x)
    assert abs(different.mean()) < 0.1
    assert len(set(different.flatten().tolist())) > 1990


def compiled_or_skip(function):
    """Compile a function, or skip where this machine has no compiler for it."""
    try:
        compiled = torch.compile(lambda x: x * 2 + 1)
        compiled(torch.ones(3))
    except Exception as error:
        pytest.skip(f"torch.compile does not work here: {str(error).splitlines()[0]}")
    return torch.compile(function)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.process
@pytest.mark.slow
def test_a_compiled_model_computes_what_the_model_computes():
    with adapter.fast_init(0):
        model = small_model().eval()
        compiled = compiled_or_skip(model)
        inside = compiled(torch.ones(2, 6))
    assert torch.allclose(inside, model(torch.ones(2, 6)), atol=1e-6)
    assert torch.allclose(compiled(torch.ones(2, 6)), inside)


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_a_compiled_function_that_initialises_goes_on(backend):
    module = sys.modules["torch"]

    def function(x):
        y = module.nn.init.normal_(module.empty_like(x))
        z = module.nn.init.kaiming_uniform_(module.empty(4, 10), 1.0)
        return module.nn.init.uniform_(y, 2.0, 3.0) + x + z.view(-1)

    module._dynamo.reset()
    compiled = torch.compile(function, backend=backend, fullgraph=True)
    before = compiled(torch.zeros(40))
    with adapter.fast_init(0):
        inside = compiled(torch.zeros(40))
        again = compiled(torch.zeros(40))
        fresh = torch.compile(lambda x: function(x) * 1, backend=backend, fullgraph=True)
        assert not (fresh(torch.zeros(40)) == fresh(torch.zeros(40))).any()
    after = compiled(torch.zeros(40))
    outs = [before, inside, again, after]
    assert len({out[0].item() for out in outs}) == 4
    for out in outs:
        assert out.min() >= 2 - 0.55  # kaiming_uniform_ of 10 inputs: √(3/10)
        assert out.max() <= 3 + 0.55
    module._dynamo.reset()


# Copies -------------------------------------------------------------------------------------------


def test_deepcopy_and_state_dict_and_pickle_as_ever():
    with adapter.fast_init(0):
        model = small_model()
        twin = copy.deepcopy(model)
        file = io.BytesIO()
        torch.save(model.state_dict(), file)
        file.seek(0)
        other = small_model()
        other.load_state_dict(sys.modules["torch"].load(file))
    pickled = pickle.loads(pickle.dumps(model))
    for name, weight in model.state_dict().items():
        for again in (twin, other, pickled):
            assert torch.equal(again.state_dict()[name], weight)
    model(torch.ones(1, 6)).sum().backward()
    assert model[0].weight.grad is not None


def test_memory_can_be_resized_shared_and_pinned_as_ever():
    with adapter.fast_init(0):
        a = torch.empty(10).normal_()
        b = init.normal_(torch.empty(10))
    for tensor in (a, b):
        tensor.resize_(2000)
        tensor.share_memory_()
        tensor.untyped_storage().resize_(0)


def test_an_optimiser_and_a_step_in_the_block_are_as_ever():
    def train():
        torch.manual_seed(0)
        optimiser = torch.optim.AdamW(model.parameters(), lr=0.1)
        for _ in range(3):
            optimiser.zero_grad()
            model(torch.ones(4, 6)).pow(2).sum().backward()
            optimiser.step()
        return [parameter.detach().clone() for parameter in model.parameters()]

    model = small_model().train()
    state = copy.deepcopy(model.state_dict())
    wanted = train()
    model.load_state_dict(state)
    with adapter.fast_init(0):
        found = train()
    for a, b in zip(wanted, found, strict=True):
        assert torch.equal(a, b)


# Processes ----------------------------------------------------------------------------------------


@pytest.mark.process
@pytest.mark.parametrize("case", ["fork", "spawn", "ddp", "dtensor"])
def test_processes_go_on_as_ever(case):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    environment.pop("PYTHONSAFEPATH", None)
    done = subprocess.run(
        [sys.executable, str(HERE / "fast_init_processes.py"), case],
        capture_output=True,
        text=True,
        timeout=300,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.strip().endswith("as ever")


@pytest.mark.process
def test_every_module_of_torchs_database_is_as_stock():
    pytest.importorskip("scipy")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, str(HERE / "module_database.py"), "float32", "bfloat16"],
        capture_output=True,
        text=True,
        timeout=600,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for found in json.loads(done.stdout.splitlines()[-1]).values():
        assert found["differences"] == []
        assert found["modules"] > 100
        assert found["drawn"] > 1000
