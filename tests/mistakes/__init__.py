"""The mistakes that are made most often, and what each says."""
