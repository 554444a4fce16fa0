"""What things cost, measured here and now: `python -m benchmarks.saliency`, `python -m benchmarks.relu_rules`."""
