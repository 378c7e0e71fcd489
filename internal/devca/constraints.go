package devca

import (
	"bytes"
	"crypto/x509"
	"net"
	"net/netip"
	"slices"
	"strings"
)

// Constraints are what a CA may sign for (RFC 5280, 4.2.1.10): domains with all their subdomains, and networks. The key of a
// development CA is in a developer's folder, and a thief of it must not be able to pass for a bank.
type Constraints struct {
	domains  []string
	networks []*net.IPNet
}

// privateNetworks are the addresses that never belong to a public server: loopback, private (RFC 1918, RFC 4193), link-local, and
// those that carriers and overlay networks share (RFC 6598).
var privateNetworks = []string{
	"127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10", "::1/128", "fc00::/7", "fe80::/10",
}

// ConstraintsFor returns what certificates for this machine's own names, for private addresses and for the given names need.
func ConstraintsFor(names []string) Constraints {
	var c Constraints
	for _, network := range privateNetworks {
		c.networks = append(c.networks, ipNet(netip.MustParsePrefix(network)))
	}
	for _, name := range slices.Concat(ownNames, names) {
		if addr, err := netip.ParseAddr(name); err == nil {
			addr = addr.Unmap()
			c.allow(ipNet(netip.PrefixFrom(addr, addr.BitLen())))
		} else {
			c.allowDomain(strings.TrimPrefix(name, "*."))
		}
	}
	return c
}

// And adds what the CA of a certificate may sign for already, so that two servers that share a folder and have different names do
// not keep replacing each other's CA.
func (c Constraints) And(cert *x509.Certificate) Constraints {
	for _, domain := range cert.PermittedDNSDomains {
		c.allowDomain(domain)
	}
	for _, network := range cert.PermittedIPRanges {
		c.allow(network)
	}
	return c
}

// allowDomain adds a domain unless it is covered already.
func (c *Constraints) allowDomain(domain string) {
	if !below(domain, c.domains) {
		c.domains = append(c.domains, strings.ToLower(domain))
	}
}

// allow adds a network unless it is covered already.
func (c *Constraints) allow(network *net.IPNet) {
	if !inside(network, c.networks) {
		c.networks = append(c.networks, network)
	}
}

// Within reports whether the CA of a certificate may sign for all of that, and is constrained at all.
func (c Constraints) Within(cert *x509.Certificate) bool {
	domain := func(d string) bool { return below(d, cert.PermittedDNSDomains) }
	network := func(n *net.IPNet) bool { return inside(n, cert.PermittedIPRanges) }
	return cert.PermittedDNSDomainsCritical && all(c.domains, domain) && all(c.networks, network)
}

// all reports whether ok holds for every item.
func all[T any](items []T, ok func(T) bool) bool {
	return !slices.ContainsFunc(items, func(item T) bool { return !ok(item) })
}

// below reports whether a domain is one of the given or below it.
func below(domain string, of []string) bool {
	domain = strings.ToLower(domain)
	return slices.ContainsFunc(of, func(d string) bool { return domain == d || strings.HasSuffix(domain, "."+d) })
}

// inside reports whether a network is one of the given or part of it.
func inside(network *net.IPNet, of []*net.IPNet) bool {
	return slices.ContainsFunc(of, func(n *net.IPNet) bool {
		return len(n.Mask) == len(network.Mask) && n.Contains(network.IP) && bytes.Compare(n.Mask, network.Mask) <= 0
	})
}

// ipNet converts a prefix to the type that certificates have.
func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
