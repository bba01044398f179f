"""What Python asks for: light to import, and all of it in one place."""

from __future__ import annotations

import subprocess
import sys

import evenhand


def test_import_loads_no_engine_and_no_arrays():
    heavy = ["duckdb", "narwhals", "numpy", "pandas", "polars", "pydantic", "scipy", "torch"]
    code = f"import sys, evenhand; print(*({{*{heavy!r}}} & {{*sys.modules}}))"
    found = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert found.stdout.strip() == ""


def test_every_function_says_what_it_takes_and_what_it_raises():
    for name in evenhand.__all__:
        if name != "__version__":
            function = getattr(evenhand, name)
            assert function.__module__.startswith("evenhand.interface.")
            assert (function.__doc__ or "").count("Raises:") == (name != "spark")
