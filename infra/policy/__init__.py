"""What every resource must keep to, as rules and as a Pulumi policy pack."""
