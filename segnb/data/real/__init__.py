"""Sets of real pictures, a module each, and how they are fetched."""
