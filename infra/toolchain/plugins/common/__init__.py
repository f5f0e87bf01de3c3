"""What both drop-in plugins need: values, serving, failures."""
