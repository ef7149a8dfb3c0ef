"""Run every bench one after the other; each prints one JSON document."""

import subprocess
import sys
from pathlib import Path

if __name__ == "__main__":
    names = sorted(path.stem for path in Path(__file__).parent.glob("*.py") if not path.stem.startswith("_"))
    sys.exit(max(subprocess.run([sys.executable, "-m", f"bench.{name}"], check=False).returncode for name in names))
