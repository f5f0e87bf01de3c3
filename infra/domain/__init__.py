"""Pure rules on values: no pulumi, no network, no files, no clock."""
