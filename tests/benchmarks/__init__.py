"""Speed as ratios against named peers, measured side by side in one run: `python -m tests.benchmarks`.

A benchmark is a module of this package with a function `measure(smoke: bool) -> list[Row]`, named in `__main__.NAMES`.
Nothing here asserts a time, and pytest collects none of it.
"""
