"""The world on one machine: a registry, hosts with their own Docker engine, and a model endpoint, all disposable."""
