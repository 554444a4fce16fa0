"""What things cost, measured here and now: `python -m benchmarks.saliency`, and the others beside it likewise."""
