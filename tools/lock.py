"""Resolve the lock files from pyproject.toml anew, each package with its hashes.

Writes no index address, so that the locks hold for whatever index pip is configured for.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROFILES = {
    # The other HTTP client is for those who meet a fault of ours; few need its nine packages.
    "serve": ["--extra", "bedrock", "--extra", "postgres", "--extra", "syntax"],
    "dev": ["--all-extras", "--group", "test", "--group", "check", "--group", "docs"],
}

for profile, arguments in PROFILES.items():
    subprocess.run(
        [
            *(sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--universal", "--upgrade"),
            *("--python-version", "3.11", "--generate-hashes", "--no-header"),
            *("--no-emit-index-url", *arguments, "pyproject.toml"),
            *("--output-file", f"locks/{profile}.txt"),
        ],
        cwd=ROOT,
        check=True,
    )
