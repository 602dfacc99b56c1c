"""Training on rewards for the model's own responses: PPO with a critic, and RLOO."""
