"""Training on preferences: data, soft losses, SFT, reward model, DPO, and the evaluation of what came out."""
