"""What is done to items before training: random changes and weight maps."""
