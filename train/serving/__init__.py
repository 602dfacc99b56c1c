"""Rewards for other RL stacks: an HTTP server over a reward model or a judge, and the clients that those stacks load."""
