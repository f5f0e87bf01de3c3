"""Drop-in for pulumi-command 1.2.1: `remote.Command` and `remote.CopyToRemote`."""
