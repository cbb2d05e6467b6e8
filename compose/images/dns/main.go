// Coredns is CoreDNS with what a lab needs: zones from files, conditions to order, and a log that says
// what was answered. It has no plugin that asks another resolver.
package main

import (
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/coremain"

	_ "github.com/coredns/coredns/plugin/acl"
	_ "github.com/coredns/coredns/plugin/bind"
	_ "github.com/coredns/coredns/plugin/erratic"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/file"
	_ "github.com/coredns/coredns/plugin/reload"
	_ "github.com/coredns/coredns/plugin/template"

	_ "labctl/coredns/querylog"
)

// A query passes the plugins in this order, whatever the order in the Corefile: querylog comes first,
// to see the answers of all others.
func init() {
	dnsserver.Directives = []string{"reload", "bind", "querylog", "errors", "acl", "erratic", "template", "file"}
}

func main() {
	coremain.Run()
}
