//go:build tools

// Package tools names the programs that are built as they are.
package tools

import (
	_ "github.com/coredns/coredns/coremain"
	_ "helm.sh/helm/v3/cmd/helm"
)
