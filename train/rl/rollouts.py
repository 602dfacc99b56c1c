"""What PPO and RLOO share beside TRL's trainers: prompts whose words are words, KL per response, and checkpoints that resume exactly.

A mixin for TRL 1.16's GRPOTrainer and RLOOTrainer. Seams that it relies on, guarded by tests/train/rl: `_tokenize_prompts`,
`_get_train_sampler`, `_step`, `_buffered_inputs`, `_generate_and_score_completions`, `_save_checkpoint` and
`_load_from_checkpoint`. TRL keeps a rollout in memory that is learnt from over several steps; a checkpoint between them would
lose it, and the resumed training would draw another. Knows no reward and no loss.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor
from torch.utils.data import Sampler

from engines.prompting import ChatTokenizer
from train.rl.maths import kl_k1, kl_k3
from train.rl.prompts import token_ids

STATE: Final = "rollout.json"
LOGITS_BYTES: Final = 256 * 2**20
"""Most memory for plain logits."""


class PromptSampler(Sampler[int]):
    """Yields prompts as TRL wants them: `times` in a row, a rollout's `count` prompts together, all of these again for each step.

    An epoch's order follows from the seed and the epoch's number alone, so that a resumed training sees it again; what does not
    fill a rollout is left out, and stands elsewhere in the next epoch's order.

    Args:
        size: number of prompts.
        times: responses a prompt.
        count: prompts a rollout.
        steps: how often a rollout's prompts are asked for: once a step that learns from it.
        seed: of the order.
    """

    def __init__(self, size: int, *, times: int, count: int, steps: int, seed: int) -> None:
        self._size, self._times, self._count, self._steps, self._seed = size, times, count, steps, seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order comes next."""
        self._epoch = epoch

    def __len__(self) -> int:
        return self._size // self._count * self._count * self._times * self._steps

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self._seed * 1_000_003 + self._epoch)
        order = torch.randperm(self._size, generator=generator).tolist()
        for start in range(0, self._size // self._count * self._count, self._count):
            for _ in range(self._steps):
                for prompt in order[start : start + self._count]:
                    yield from [prompt] * self._times


class Rollouts:
    """Mixin: put it in front of a TRL trainer that draws responses. `chat` makes the token ids of prompts."""

    def __init__(self, *args: Any, chat: ChatTokenizer, **kwargs: Any) -> None:
        self.chat = chat
        super().__init__(*args, **kwargs)

    def _tokenize_prompts(self, prompts: Sequence[Any]) -> tuple[list[list[int]], None, dict[str, Any]]:
        return [token_ids(self.chat, prompt) for prompt in prompts], None, {}

    def _get_train_sampler(self, dataset: Any = None) -> PromptSampler:
        trainer: Any = self
        rows = trainer.train_dataset if dataset is None else dataset
        return PromptSampler(
            len(rows), times=trainer.num_generations, count=trainer.args.generation_batch_size // trainer.num_generations,
            steps=trainer.num_iterations * trainer.args.steps_per_generation, seed=trainer.args.seed,
        )  # fmt: skip

    def _get_per_token_logps_and_entropies(
        self, model: Any, input_ids: Tensor, attention_mask: Tensor, logits_to_keep: int, batch_size: int | None = None,
        compute_entropy: bool = False, compute_aux_loss: bool = False, **images: Any,
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:  # fmt: skip
        """Read log-probabilities, on a CPU by plain logits where these fit: that costs half of TRL's fused head."""
        trainer: Any = self
        size = batch_size or len(input_ids)
        vocabulary = trainer.accelerator.unwrap_model(model).config.get_text_config().vocab_size
        small = input_ids.device.type == "cpu" and 4 * size * (logits_to_keep + 1) * vocabulary <= LOGITS_BYTES
        if not small or compute_aux_loss or any(value is not None for value in images.values()):
            found: tuple[Tensor, Tensor | None, Tensor | None] = super()._get_per_token_logps_and_entropies(  # type: ignore[misc]
                model,
                input_ids,
                attention_mask,
                logits_to_keep,
                batch_size,
                compute_entropy,
                compute_aux_loss,
                **images,
            )
            return found
        read = [
            _by_logits(model, ids, mask, logits_to_keep, trainer.temperature, compute_entropy)
            for ids, mask in zip(torch.split(input_ids, size), torch.split(attention_mask, size), strict=True)
        ]
        entropies = [entropy for _, entropy in read if entropy is not None]
        return torch.cat([logps for logps, _ in read]), torch.cat(entropies) if entropies else None, None

    def note_kl(self, logps: Tensor, reference: Tensor, mask: Tensor) -> float:
        """Note the KL to the reference in nats a response, by both estimators; give the first, over all processes.

        Args:
            logps: (rows, T) of the drawn tokens.
            reference: (rows, T).
            mask: (rows, T).
        """
        own = torch.stack([kl_k1(logps, reference, mask), kl_k3(logps, reference, mask)], dim=1)
        means = self.gathered(own).mean(0).tolist()
        self.note({"kl_k1": means[0], "kl_k3": means[1]})
        return float(means[0])

    def note(self, values: Mapping[str, float]) -> None:
        """Add numbers to the next line of the log, which takes their means."""
        trainer: Any = self
        kept = trainer._metrics["train" if trainer.model.training else "eval"]
        for name, value in values.items():
            kept[name].append(value)

    def gathered(self, values: Tensor) -> Tensor:
        """Put the rows of all processes together."""
        trainer: Any = self
        found: Tensor = trainer.accelerator.gather(values)
        return found

    def state_to_keep(self) -> dict[str, Any]:
        """What a subclass keeps in a checkpoint beside the rollout."""
        return {}

    def take_state(self, state: Mapping[str, Any]) -> None:
        """Take up what `state_to_keep` gave."""

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        trainer: Any = self
        folder = Path(trainer._get_output_dir(trial=trial)) / f"checkpoint-{trainer.state.global_step}"
        folder.mkdir(parents=True, exist_ok=True)
        self._save_rollout(folder)  # first, for a checkpoint counts as whole once TRL has written the trainer's state
        super()._save_checkpoint(model, trial)  # type: ignore[misc]

    def _save_rollout(self, folder: Path) -> None:
        from safetensors.torch import save_file

        trainer: Any = self
        under_way = trainer._step % (trainer.args.steps_per_generation * trainer.num_iterations) != 0
        if under_way:
            tensors = {
                f"{place}/{name}": value.contiguous().cpu().clone()
                for place, batch in enumerate(trainer._buffered_inputs)
                for name, value in batch.items()
                if isinstance(value, Tensor)
            }
            save_file(tensors, folder / f"rollout-{trainer.accelerator.process_index}.safetensors")
        if trainer.accelerator.is_main_process:
            state = {"step": trainer._step, "batches": trainer.args.steps_per_generation, **self.state_to_keep()}
            (folder / STATE).write_text(json.dumps(state) + "\n", encoding="utf-8", newline="\n")

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        super()._load_from_checkpoint(resume_from_checkpoint, model)  # type: ignore[misc]
        from safetensors.torch import load_file

        trainer: Any = self
        folder = Path(resume_from_checkpoint)
        state = json.loads((folder / STATE).read_text(encoding="utf-8"))
        trainer._step = int(state["step"])
        self.take_state(state)
        file = folder / f"rollout-{trainer.accelerator.process_index}.safetensors"
        if file.is_file():
            batches: list[dict[str, Tensor]] = [{} for _ in range(int(state["batches"]))]
            for name, value in load_file(file, device=str(trainer.accelerator.device)).items():
                place, _, key = name.partition("/")
                batches[int(place)][key] = value
            trainer._buffered_inputs = batches


def _by_logits(
    model: Any, ids: Tensor, mask: Tensor, keep: int, temperature: float, entropy: bool
) -> tuple[Tensor, Tensor | None]:
    """Log-probabilities (rows, keep) of the last `keep` tokens, and the entropies (without gradient) where they were chosen."""
    logits = model(input_ids=ids, attention_mask=mask, use_cache=False, logits_to_keep=keep + 1).logits[:, :-1]
    logps = torch.log_softmax(logits.float() / temperature, dim=-1)
    chosen = logps.gather(-1, ids[:, -keep:, None]).squeeze(-1)
    if not entropy:
        return chosen, None
    with torch.no_grad():
        return chosen, -(logps.exp() * logps).sum(-1)
