"""The child program. It runs isolated (``python -I``), so it names its own import root."""

import gc
import os
import sys
from pathlib import Path

if __name__ == "__main__":
    # One effect, and it ends: what it imports would set off dozens of collections of nothing.
    gc.set_threshold(50_000)
    # Pydantic would look through every installed package for plugins: time, and code beside a credential to write.
    os.environ["PYDANTIC_DISABLE_PLUGINS"] = "1"
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    from adapters.effects.child import main

    sys.exit(main())
