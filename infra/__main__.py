"""The Pulumi program: settings in, resources declared, outputs out."""

from infra.program import main

main()
