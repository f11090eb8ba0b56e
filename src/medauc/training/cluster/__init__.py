"""Trainings on a Ray cluster: what the driver does, what a node does, and what travels between them."""
