"""The one training loop: steps, schedule, checkpoints, exact resume, progress, collapse watch."""
