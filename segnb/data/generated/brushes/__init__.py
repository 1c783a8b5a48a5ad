"""What the generated pictures are painted with."""
