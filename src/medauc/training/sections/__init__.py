"""The sections of a recipe, one a file; each refuses keys that it does not know."""
