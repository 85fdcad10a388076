package rows

import (
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"net/netip"
)

// communityID is the Community ID of a flow, version 1 with the seed 0, as Zeek and
// Suricata write it: the SHA-1 of the addresses, the protocol of IP and the ports, the
// lower end first. It is empty where an end is no address and port.
func communityID(transport, client, server string) string {
	a, err1 := netip.ParseAddrPort(client)
	b, err2 := netip.ParseAddrPort(server)
	if err1 != nil || err2 != nil || a.Addr().BitLen() != b.Addr().BitLen() {
		return ""
	}
	if b.Compare(a) < 0 {
		a, b = b, a
	}
	protocol := byte(6)
	if transport != "tcp" {
		protocol = 17
	}
	in := append([]byte{0, 0}, a.Addr().AsSlice()...) // the seed, 2 bytes
	in = append(in, b.Addr().AsSlice()...)
	in = append(in, protocol, 0)
	in = binary.BigEndian.AppendUint16(in, a.Port())
	in = binary.BigEndian.AppendUint16(in, b.Port())
	sum := sha1.Sum(in)
	return "1:" + base64.StdEncoding.EncodeToString(sum[:])
}
