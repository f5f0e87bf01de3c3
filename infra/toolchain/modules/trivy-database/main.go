// Makes a small Trivy database from YAML files: acp-trivy-database DATABASE FILE...
package main

import (
	"fmt"
	"os"

	fixtures "github.com/aquasecurity/bolt-fixtures"
)

func main() {
	if len(os.Args) < 3 {
		fail(fmt.Errorf("usage: acp-trivy-database DATABASE FILE..."))
	}
	loader, err := fixtures.New(os.Args[1], os.Args[2:])
	if err != nil {
		fail(err)
	}
	if err := loader.Load(); err != nil {
		fail(err)
	}
	if err := loader.Close(); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
