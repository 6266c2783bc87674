"""Run every benchmark, or those that are named: python -m benchmarks [serving publish restore]."""

import subprocess
import sys
from pathlib import Path

ALL = sorted(
    path.stem for path in Path(__file__).parent.glob("*.py") if not path.stem.startswith("_")
)


def main(names: list[str]) -> int:
    """Run the benchmarks one after another, each in a process of its own; 0 if all went well."""
    if unknown := sorted(set(names) - set(ALL)):
        print(f"There is no benchmark {', '.join(unknown)}. There are: {', '.join(ALL)}.")
        return 2
    results = [
        subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode
        for name in names or ALL
    ]
    return max(results)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
