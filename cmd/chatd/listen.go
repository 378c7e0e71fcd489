package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
)

// listen opens the address of a setting; an empty one opens nothing. The host localhost means 127.0.0.1 and ::1,
// as clients differ in which they try: Node.js 17 and later takes the first that DNS gives, which may be either.
// Both get one port. Errors name the flag.
func listen(ctx context.Context, flag, address string) ([]net.Listener, error) {
	if address == "" {
		return nil, nil
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	var open []net.Listener
	if host == "localhost" {
		open, err = listenLoopback(ctx, port)
	} else {
		var l net.Listener
		l, err = listenOn(ctx, address)
		open = []net.Listener{l}
	}
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %s; --%s chooses another address", address, reasonOf(err), flag)
	}
	return open, nil
}

// listenOn opens one TCP address.
func listenOn(ctx context.Context, address string) (net.Listener, error) {
	return new(net.ListenConfig).Listen(ctx, "tcp", address)
}

// listenLoopback opens both loopback addresses. With port 0 it tries ten times: the port that one address gets may
// be taken on the other, which only the attempt shows. A machine without IPv6, as many containers are, gets IPv4
// alone.
func listenLoopback(ctx context.Context, port string) ([]net.Listener, error) {
	for attempt := 0; ; attempt++ {
		four, err := listenOn(ctx, net.JoinHostPort("127.0.0.1", port))
		if err != nil {
			return nil, err
		}
		six, err := listenOn(ctx, net.JoinHostPort("::1", portOf(four)))
		switch {
		case err == nil:
			return []net.Listener{four, six}, nil
		case errors.Is(err, syscall.EADDRNOTAVAIL), errors.Is(err, syscall.EAFNOSUPPORT):
			return []net.Listener{four}, nil // a machine without IPv6
		case port != "0" || attempt == 9:
			return nil, errors.Join(err, four.Close())
		}
		if err := four.Close(); err != nil {
			return nil, err
		}
	}
}

// portOf is the port that a listener got.
func portOf(l net.Listener) string {
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// reasonOf leaves out which calls were made and keeps what went wrong: "address already in use" instead of "listen
// tcp 127.0.0.1:8443: bind: address already in use".
func reasonOf(err error) string {
	var call *os.SyscallError
	if errors.As(err, &call) {
		return call.Err.Error()
	}
	return strings.TrimPrefix(err.Error(), "listen ")
}

// reachable turns an address to listen on into one to connect to from this machine: the unspecified address
// (0.0.0.0, ::) is every address for a listener, but for a client only some systems connect it to loopback.
func reachable(address string) string {
	host, port, err := net.SplitHostPort(address)
	if ip := net.ParseIP(host); err == nil && (host == "" || ip != nil && ip.IsUnspecified()) {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return address
}

// isPublic reports whether other machines can connect to the address, if there is one.
func isPublic(address string) bool { return address != "" && !isLoopback(address) }

// isLoopback reports whether only this machine can connect to the address. Host names other than localhost are not
// looked up and count as public, which is the safe answer.
func isLoopback(address string) bool {
	host, _, _ := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
