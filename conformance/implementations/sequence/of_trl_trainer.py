# /// script
# requires-python = ">=3.11"
# dependencies = ["trl==1.16.0", "torch>=2.4"]
# ///
"""TRL's `DPOTrainer` whole: a random model of one layer, whose hidden states and head are those that are given.

No hub is asked. What is judged is the trainer's own way from there: labels from the completion mask, the shift, the fused head,
sums over tokens, the reference's forward, the loss and its mean.
"""

from __future__ import annotations

import functools
import tempfile
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import torch
from datasets import Dataset
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from trl import DPOConfig, DPOTrainer

from conformance.implementations.sequence.torch_paths import torch_path


@functools.cache
def trainer() -> DPOTrainer:
    """A trainer of four words."""
    words = Tokenizer(models.WordLevel({"a": 0, "b": 1, "<pad>": 2, "<eos>": 3}, unk_token="a"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<pad>", eos_token="<eos>")
    config = LlamaConfig(vocab_size=4, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1)
    arguments = DPOConfig(output_dir=tempfile.mkdtemp(), use_cpu=True, report_to=[], bf16=False)
    rows = Dataset.from_list([{"prompt": "a ", "chosen": "b", "rejected": "a"}])
    both = LlamaForCausalLM(config), LlamaForCausalLM(config)
    return DPOTrainer(*both, args=arguments, train_dataset=rows, processing_class=tokenizer)


def _loss(
    hidden: Tensor, weight: Tensor, bias: Tensor | None, ref_hidden: Tensor, ref_weight: Tensor, ref_bias: Tensor | None,
    labels: Tensor, mask: Tensor, *, beta: float, kind: str,
) -> Tensor:  # fmt: skip
    own = trainer()
    batch = {"input_ids": labels, "attention_mask": torch.ones_like(labels), "completion_mask": mask.long()}
    with ExitStack() as forced:
        for model, states, head in ((own.model, hidden, (weight, bias)), (own.ref_model, ref_hidden, (ref_weight, ref_bias))):
            layers = SimpleNamespace(last_hidden_state=states)
            forced.enter_context(patch.object(model.model, "forward", lambda *_, found=layers, **__: found))
            output = SimpleNamespace(weight=head[0], bias=head[1])
            forced.enter_context(patch.object(model, "get_output_embeddings", lambda found=output: found))
        forced.enter_context(patch.multiple(own, beta=beta, loss_types=[kind]))
        loss: Tensor = own.compute_loss(own.model, batch)
    return loss


def _named(kind: str, loss: str) -> Any:
    """TRL's loss type, which is that loss of the oracle's."""
    return torch_path(
        functools.partial(_loss, kind=kind), name=f"TRL DPOTrainer {kind}", dtypes=("binary16", "bfloat16", "binary32"),
        head=True, shift=True, loss=loss, reduction="mean", accumulates="float32", library="trl",
    )  # fmt: skip


DPO = _named("sigmoid", "sigmoid")
IPO = _named("ipo", "ipo_average")
NORM = _named("sigmoid_norm", "sigmoid_norm")
