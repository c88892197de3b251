"""Tests with real sentence encoders, in the environment that `make embeddings` makes."""
