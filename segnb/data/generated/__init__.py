"""Sets that are drawn, every item from its own seed: a module each."""
