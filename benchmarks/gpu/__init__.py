"""Parts of benchmarks/on_gpu.py, a file each: what is learned of imprint on a GPU."""
