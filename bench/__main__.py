"""Run every bench one after the other; each prints one JSON document."""

import subprocess
import sys
from pathlib import Path

if __name__ == "__main__":
    here = Path(__file__).parent
    modules = [path.stem for path in here.glob("*.py") if not path.stem.startswith("_")]
    names = sorted(modules + [path.parent.name for path in here.glob("*/__main__.py")])
    sys.exit(max(subprocess.run([sys.executable, "-m", f"bench.{name}"], check=False).returncode for name in names))
