// Package codegen stands for the code generator of that name: the provider fills in this type for `package
// get-schema`, which a release never asks for. The real module is not served by the Go module proxy.
package codegen

// CSharpPackageInfo holds the settings of the generated C# SDK that the provider names.
type CSharpPackageInfo struct {
	RespectSchemaVersion bool              `json:"respectSchemaVersion,omitempty"`
	PackageReferences    map[string]string `json:"packageReferences,omitempty"`
}
