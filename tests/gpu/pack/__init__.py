"""What a bare CUDA machine lacks, as a folder of wheels: `make gpu-pack`, see docs/benchmarks/gpu.md."""
