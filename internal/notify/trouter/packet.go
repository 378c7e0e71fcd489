package trouter

import (
	"errors"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Kinds of socket.io 0.9 packets.
const (
	disconnectPacket = '0'
	connectPacket    = '1'
	heartbeatPacket  = '2'
	messagePacket    = '3'
	eventPacket      = '5'
	ackPacket        = '6'
	noopPacket       = '8'
)

// packet is type:id[+]:endpoint[:data]; the endpoint is always empty here.
type packet struct {
	kind byte
	id   string
	ack  bool // the sender wants an acknowledgement
	data string
}

var (
	errPacket = errors.New("malformed packet")
	errFlood  = errors.New("too many requests that wait for an answer")
)

func parsePacket(text string) (packet, error) {
	parts := strings.SplitN(text, ":", 4)
	if len(parts) < 3 || len(parts[0]) != 1 || parts[0][0] < '0' || parts[0][0] > '8' {
		return packet{}, errPacket
	}
	p := packet{kind: parts[0][0]}
	p.id, p.ack = strings.CutSuffix(parts[1], "+")
	if _, err := strconv.ParseUint(p.id, 10, 64); p.id != "" && err != nil {
		return packet{}, errPacket
	}
	if len(parts) == 4 {
		p.data = parts[3]
	}
	return p, nil
}

// formatAck answers a packet that wants it, with JSON arguments.
func formatAck(id, args string) string { return string(ackPacket) + ":::" + id + "+" + args }

// In long polling several packets share a body: U+FFFD, length, U+FFFD, packet. The length counts UTF-16 units.
const frameMark = "\ufffd"

func joinPackets(packets []string) string {
	if len(packets) == 1 {
		return packets[0]
	}
	var b strings.Builder
	for _, p := range packets {
		b.WriteString(frameMark + strconv.Itoa(utf16Length(p)) + frameMark + p)
	}
	return b.String()
}

func splitPackets(body string) ([]string, error) {
	if !strings.HasPrefix(body, frameMark) {
		return []string{body}, nil
	}
	var out []string
	for body != "" {
		number, rest, ok := strings.Cut(strings.TrimPrefix(body, frameMark), frameMark)
		n, err := strconv.Atoi(number)
		if !ok || err != nil || n < 0 || !strings.HasPrefix(body, frameMark) {
			return nil, errPacket
		}
		end := utf16Offset(rest, n)
		if end < 0 {
			return nil, errPacket
		}
		out, body = append(out, rest[:end]), rest[end:]
	}
	return out, nil
}

func utf16Length(s string) int {
	n := 0
	for _, r := range s {
		n += max(1, utf16.RuneLen(r))
	}
	return n
}

// utf16Offset returns where in s n UTF-16 units end, -1 when s is shorter.
func utf16Offset(s string, n int) int {
	at := 0
	for n > 0 {
		r, size := utf8.DecodeRuneInString(s[at:])
		if size == 0 {
			return -1
		}
		n -= max(1, utf16.RuneLen(r))
		at += size
	}
	if n < 0 {
		return -1
	}
	return at
}
