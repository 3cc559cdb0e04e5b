"""Write a tiny Qwen2 model with random weights and FIM tokens, as the engine tests need one.

Usage: python make_tiny_model.py FOLDER [--hidden 128] [--layers 2]

128 x 2 (the default) has 1.4 million parameters, 768 x 12 has 86 million. Nothing is downloaded:
the tokenizer is trained on the running Python's own standard library, and the weights are random,
so the answers are noise. Tests assert the protocol, never the text.

The tokenizer differs between Python versions, because their libraries do; weights do not.
Needs torch, transformers 5 and tokenizers, all of which vLLM's environment has.
"""

# These packages are in vLLM's environment only, so there are no types here to be strict about.
# pyright: basic, reportMissingImports=false

import argparse
import json
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import torch
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

VOCABULARY = 8192
CONTEXT_TOKENS = 4096
TRAINING_CHARACTERS = 12_000_000
END_OF_TEXT = "<|endoftext|>"
SPECIAL_TOKENS = (
    END_OF_TEXT,
    "<|im_start|>",
    "<|im_end|>",
    "<fim_prefix>",
    "<fim_suffix>",
    "<fim_middle>",
    "<fim_pad>",
    "<repo_name>",
    "<file_sep>",
)
# Qwen2's own split, because llama.cpp knows it by the name "qwen2" (see convert_gguf.py).
SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
CHAT_TEMPLATE = Path(__file__).with_name("chat_template.jinja")


def main() -> None:
    """Make the model that the command line asks for."""
    parser = argparse.ArgumentParser(description="Write a tiny Qwen2 model with random weights.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--hidden", type=int, default=128, help="width, a multiple of 64")
    parser.add_argument("--layers", type=int, default=2)
    arguments = parser.parse_args()
    tokenizer = train_tokenizer()
    save_tokenizer(tokenizer, arguments.folder)
    save_model(arguments.folder, arguments.hidden, arguments.layers, tokenizer)


def library_texts() -> Iterator[str]:
    """Yield sources of the standard library in a fixed order, about 12 MB in all."""
    left = TRAINING_CHARACTERS
    for path in sorted(Path(sysconfig.get_path("stdlib")).rglob("*.py")):
        if {"site-packages", "test"} & set(path.parts):
            continue
        text = path.read_text("utf-8", "replace")
        yield text
        left -= len(text)
        if left < 0:
            return


def train_tokenizer() -> Tokenizer:
    """Train a byte-level BPE tokenizer whose last ids are the special tokens."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY - len(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(library_texts(), trainer)
    tokenizer.add_special_tokens(
        [AddedToken(token, special=True, normalized=False) for token in SPECIAL_TOKENS]
    )
    return tokenizer


def save_tokenizer(tokenizer: Tokenizer, folder: Path) -> None:
    """Write the tokenizer and the chat template as `transformers` reads them."""
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END_OF_TEXT,
        pad_token=END_OF_TEXT,
        additional_special_tokens=list(SPECIAL_TOKENS[1:]),
        model_max_length=CONTEXT_TOKENS,
        clean_up_tokenization_spaces=False,
    )
    fast.chat_template = CHAT_TEMPLATE.read_text("utf-8")
    fast.save_pretrained(folder)


def save_model(folder: Path, hidden: int, layers: int, tokenizer: Tokenizer) -> None:
    """Write random bfloat16 weights, the same ones every time."""
    end_of_text = tokenizer.token_to_id(END_OF_TEXT)
    config = Qwen2Config(
        vocab_size=VOCABULARY,
        hidden_size=hidden,
        intermediate_size=int(hidden * 2.75) // 64 * 64,
        num_hidden_layers=layers,
        num_attention_heads=hidden // 64,
        num_key_value_heads=max(1, hidden // 128),
        max_position_embeddings=CONTEXT_TOKENS,
        tie_word_embeddings=True,
        use_sliding_window=False,
        bos_token_id=None,
        eos_token_id=end_of_text,
        pad_token_id=end_of_text,
    )
    torch.manual_seed(0)
    model = Qwen2ForCausalLM(config)
    with torch.no_grad():
        # Embeddings are tied to the output, so these tokens are hardly ever generated: an answer
        # has text, and is as long as `max_tokens` says.
        model.get_input_embeddings().weight[-len(SPECIAL_TOKENS) :] *= 0.1
    model.to(torch.bfloat16).save_pretrained(folder)
    path = folder / "config.json"
    written = json.loads(path.read_text("utf-8"))
    # transformers 5 writes `rope_parameters`; readers of the older format look here.
    written.setdefault("rope_theta", 10000.0)
    path.write_text(json.dumps(written, indent=2), "utf-8")


if __name__ == "__main__":
    main()
