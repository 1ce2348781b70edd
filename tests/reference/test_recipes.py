"""The recipes of docs/reference.md, each in the installed library: TRL trains as it did, torchtune's losses are the same."""

import copy
import importlib
import re
import sys
from pathlib import Path

import pytest
import torch

PAGE = Path(__file__).parents[2] / "docs" / "reference.md"


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    """Imports a block of the page by its file's name."""

    def imported(name):
        (code,) = re.findall(rf"```python {name}\.py\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
        (tmp_path / f"{name}.py").write_text(code, encoding="utf-8")
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, name, raising=False)
        return importlib.import_module(name)

    return imported


def test_trl_trains_as_it_did(recipe, tmp_path):
    trl = pytest.importorskip("trl", reason="TRL is not installed")
    transformers = pytest.importorskip("transformers")
    from datasets import Dataset  # noqa: PLC0415 - TRL needs it
    from tokenizers import Tokenizer, models, pre_tokenizers  # noqa: PLC0415 - as transformers does

    words = ["<pad>", "<eos>", "<unk>", *(f"w{i}" for i in range(20))]
    plain = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    plain.pre_tokenizer = pre_tokenizers.Whitespace()
    special = {"pad_token": "<pad>", "eos_token": "<eos>", "unk_token": "<unk>"}
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=plain, **special)
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    model = transformers.LlamaForCausalLM(transformers.LlamaConfig(vocab_size=len(words), **sizes))
    rows = [("w1 w2", " w3 w4 w5", " w6 w7"), ("w2", " w9", " w8 w7 w6")]
    pairs = Dataset.from_list([dict(zip(("prompt", "chosen", "rejected"), row, strict=True)) for row in rows])

    def losses(trainer, **options):
        arguments = trl.DPOConfig(
            output_dir=str(tmp_path), max_steps=3, per_device_train_batch_size=2, learning_rate=1e-2, report_to=[], bf16=False,
            use_cpu=True, save_strategy="no", logging_steps=1, gradient_checkpointing=False, disable_tqdm=True, **options,
        )  # fmt: skip
        models = {"model": copy.deepcopy(model), "ref_model": copy.deepcopy(model)}
        made = trainer(**models, args=arguments, train_dataset=pairs, processing_class=tokenizer)
        made.train()
        return [entry["loss"] for entry in made.state.log_history if "loss" in entry]

    ours = recipe("trl_reference").ReferenceDPOTrainer
    for options in ({}, {"precompute_ref_log_probs": True}):
        found = losses(ours, **options)
        assert len(found) == 3
        assert found == pytest.approx(losses(trl.DPOTrainer, **options), rel=1e-5)


@pytest.mark.filterwarnings("ignore::Warning")  # of its own imports
def test_torchtunes_losses_are_the_same(recipe):
    loss = pytest.importorskip("torchtune.rlhf.loss", reason="torchtune is not installed")
    logps = -20 * torch.rand(4, 5, generator=torch.Generator().manual_seed(0))
    for ours, theirs in zip(
        recipe("torchtune_reference").ReferenceLoss(0.5)(*logps), loss.DPOLoss(beta=0.5)(*logps), strict=True
    ):
        assert torch.allclose(ours, theirs, rtol=1e-6)
