// Package java stands for the code generator of that name: the provider fills in this type for `package
// get-schema`, which a release never asks for. The real module is not served by the Go module proxy.
package java

// PackageInfo holds the settings of the generated Java SDK that the provider names.
type PackageInfo struct {
	BuildFiles                      string            `json:"buildFiles,omitempty"`
	GradleNexusPublishPluginVersion string            `json:"gradleNexusPublishPluginVersion,omitempty"`
	Dependencies                    map[string]string `json:"dependencies,omitempty"`
}
