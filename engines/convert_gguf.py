"""Convert a model of make_tiny_model.py to GGUF, with the converter that comes with llama.cpp.

Usage: python convert_gguf.py CONVERTER_FOLDER MODEL_FOLDER OUT.gguf

The converter knows a tokenizer by a hash over known models and refuses any other. Ours is not
known, but splits like Qwen2's, so the method that looks up the hash is made to answer "qwen2".
Needs torch, transformers and sentencepiece, all of which vLLM's environment has.
"""

import importlib
import runpy
import sys
from pathlib import Path

PRE_TOKENIZER = "qwen2"
LOOKUP = "get_vocab_base_pre"


def main() -> None:
    """Convert the model that the command line names."""
    converter, model, out = (Path(argument) for argument in sys.argv[1:4])
    sys.path[:0] = [str(converter), str(converter / "gguf-py")]
    classes = [
        member
        for member in vars(importlib.import_module("conversion.base")).values()
        if isinstance(member, type) and LOOKUP in vars(member)
    ]
    if not classes:
        sys.exit(f"convert_gguf.py: this llama.cpp has no {LOOKUP}; adapt the patch to it.")
    for cls in classes:
        setattr(cls, LOOKUP, _pre_tokenizer)
    script = converter / "convert_hf_to_gguf.py"
    sys.argv = [str(script), str(model), "--outfile", str(out), "--outtype", "f16"]
    runpy.run_path(str(script), run_name="__main__")


def _pre_tokenizer(_model: object, _tokenizer: object) -> str:
    return PRE_TOKENIZER


if __name__ == "__main__":
    main()
