// Command coredns is CoreDNS with the plugins that a cluster's DNS uses, and no cloud's.
package main

import (
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/coremain"
	_ "github.com/coredns/coredns/plugin/cache"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/health"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/loadbalance"
	_ "github.com/coredns/coredns/plugin/log"
	_ "github.com/coredns/coredns/plugin/metrics"
	_ "github.com/coredns/coredns/plugin/ready"
)

func main() {
	// The order in which plugins see a question, as in CoreDNS's own plugin.cfg.
	dnsserver.Directives = []string{"ready", "health", "prometheus", "errors", "log", "cache", "loadbalance", "kubernetes"}
	coremain.Run()
}
