"""inspect on checkpoints that transformers made, by its own initialisation, and on damaged ones."""

import numpy as np
import pytest
from support.frameworks import Framework
from support.internals import inspect as module
from support.internals import recipe

inspect, Recipe = module.inspect, recipe.Recipe


torch, transformers = Framework("torch"), Framework("transformers")
numpy_files = Framework("safetensors.numpy")

SMALL = {
    "hidden_size": 128,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 256,
}
WORDS = {"vocab_size": 1000, "bos_token_id": 1, "eos_token_id": 2}
#: Class of a model -> sizes.
MODELS = {
    "GPT2LMHeadModel": {"n_embd": 128, "n_layer": 3, "n_head": 4, **WORDS},
    "BertForMaskedLM": SMALL | WORDS,
    "LlamaForCausalLM": SMALL | WORDS,
    "MixtralForCausalLM": SMALL | WORDS | {"num_local_experts": 4, "num_key_value_heads": 2},
    "ViTForImageClassification": SMALL | {"image_size": 64},
    "ResNetForImageClassification": {
        "embedding_size": 16,
        "hidden_sizes": [16, 32, 64, 128],
        "depths": [1, 1, 1, 1],
    },
    "SwinForImageClassification": {
        "embed_dim": 24,
        "depths": [1, 1],
        "num_heads": [2, 4],
        "image_size": 56,
    },
    "MambaForCausalLM": {"hidden_size": 64, "num_hidden_layers": 2, **WORDS},
}
#: GPT-2's initialisation, as transformers has it: Radford et al. (2019), section 2.3.
GPT2 = Recipe(
    [
        ("*.bias", "zeros"),
        ("*.ln_?.weight", "ones"),
        ("*.c_proj.weight", "normal(std=0.02 / sqrt(2 * layers))"),
        ("*", "normal(std=0.02)"),
    ],
    let={"layers": 3},
)


def saved(folder, name):
    """Save a model of transformers with the weights that it begins with."""
    torch.manual_seed(0)
    model_class = getattr(transformers, name)
    model_class(model_class.config_class(**MODELS[name])).save_pretrained(folder)
    return folder / "model.safetensors"


@pytest.mark.parametrize("name", MODELS)
def test_nothing_is_wrong_with_the_weights_of_transformers(tmp_path, name):
    found = inspect(saved(tmp_path, name))
    assert len(found.tensors) > 20
    assert found.wrong == ()
    recipe = GPT2 if name == "GPT2LMHeadModel" else None
    assert inspect(tmp_path, recipe=recipe).wrong == ()


def test_planted_faults_are_found(tmp_path):
    path = saved(tmp_path, "GPT2LMHeadModel")
    tensors = {name: array.copy() for name, array in numpy_files.load_file(path).items()}
    tensors["transformer.h.0.mlp.c_fc.weight"][:] = 0
    attention = tensors["transformer.h.1.attn.c_attn.weight"]
    attention[17] = attention[4]
    tensors["transformer.h.2.mlp.c_fc.weight"][3, 5] = np.nan
    tensors["transformer.h.1.mlp.c_proj.weight"] *= np.float32(np.sqrt(2))
    numpy_files.save_file(tensors, path)
    found = inspect(path, recipe=GPT2)
    assert [(finding.kind, finding.tensor) for finding in found.wrong] == [
        ("NaN", "transformer.h.2.mlp.c_fc.weight"),
        ("zero", "transformer.h.0.mlp.c_fc.weight"),
        ("equal rows", "transformer.h.1.attn.c_attn.weight"),
        ("std", "transformer.h.1.mlp.c_proj.weight"),
    ]
    assert "√2 times" in found.wrong[-1].text
    assert [finding.kind for finding in inspect(path).wrong] == ["NaN", "zero", "equal rows"]


def test_headers_are_those_of_the_safetensors_library(tmp_path):
    path = saved(tmp_path, "BertForMaskedLM")
    expected = numpy_files.load_file(path)
    found = {report.name: report for report in inspect(path).tensors}
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert found[name].shape == array.shape
        assert found[name].summary.mean == pytest.approx(array.mean(dtype=float), abs=1e-12)
        assert found[name].summary.std == pytest.approx(array.std(dtype=float), rel=1e-9)
