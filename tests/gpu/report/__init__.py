"""Everything that only a GPU can tell, in one command: see docs/benchmarks/gpu.md."""
