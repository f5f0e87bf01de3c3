"""The driver: decides on the runner what hostctl does on the hosts."""
