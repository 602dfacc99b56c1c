"""What an evaluation measures beside a verdict: length control, KL, diversity, refusals, sycophancy, boilerplate, reward models, curves."""
