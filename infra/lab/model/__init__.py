"""The lab's model endpoint: what a language model's API answers, deterministic and without a model."""
