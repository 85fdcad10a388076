package words

import (
	"strconv"

	"explainer/annotate/event"
)

// numbers names what captures often hold beside what is read here, by the reason
// for which it is passed over: LINKTYPE_ values, EtherTypes, protocols of IP, UDP ports.
var numbers = map[string]map[int]string{
	"unknown-link-type": {
		143: "143 DOCSIS", 187: "187 Bluetooth", 189: "189 USB", 195: "195 IEEE 802.15.4", 201: "201 Bluetooth", 220: "220 USB", 227: "227 CAN",
		249: "249 USB", 251: "251 Bluetooth LE", 253: "253 netlink", 272: "272 nRF", 283: "283 IEEE 802.15.4",
	},
	"not-ip": {
		0x2000: "0x2000 CDP", 0x8035: "0x8035 RARP", 0x8809: "0x8809 LACP", 0x8863: "0x8863 PPPoE discovery", 0x888e: "0x888e EAPOL", 0x8892: "0x8892 PROFINET",
		0x88cc: "0x88cc LLDP", 0x88e5: "0x88e5 MACsec", 0x88f7: "0x88f7 PTP", 0x9000: "0x9000 loop test",
	},
	"not-tcp": {2: "2 IGMP", 50: "50 ESP", 88: "88 EIGRP", 89: "89 OSPF", 103: "103 PIM", 112: "112 VRRP", 115: "115 L2TP", 132: "132 SCTP"},
	"udp": {
		53: "53 DNS", 67: "67 DHCP", 69: "69 TFTP", 123: "123 NTP", 137: "137 NetBIOS", 138: "138 NetBIOS", 161: "161 SNMP", 443: "443 HTTPS", 500: "500 IKE", 514: "514 syslog",
		546: "546 DHCPv6", 1194: "1194 OpenVPN", 1645: "1645 RADIUS", 1812: "1812 RADIUS", 1813: "1813 RADIUS", 1900: "1900 SSDP", 3478: "3478 STUN", 4500: "4500 IPsec", 5004: "5004 RTP",
		5060: "5060 SIP", 5353: "5353 mDNS", 5355: "5355 LLMNR", 51820: "51820 WireGuard",
	},
}

// NumberOf names a number of [event.Unread], or returns nothing where it has no name
// here. A port's name is that of its registration: what used it need not be that.
func NumberOf(reason string, number int) event.Text {
	name := event.Plain(numbers[reason][number])
	if id := "number/" + reason + "/" + strconv.Itoa(number); chinese()[id] != nil {
		name.Of = &event.Phrase{ID: id}
	}
	return name
}

// carriers are those of these that can carry TLS inside their packets, as EAP-TLS, PEAP and
// TTLS (RFC 5216), or in a channel of their own.
var carriers = map[string]map[int]string{
	"not-ip": {0x888e: "EAPOL"},
	"udp":    {1194: "OpenVPN", 1645: "RADIUS", 1812: "RADIUS"},
}

// Carrier names what can carry TLS and is not read, of an [event.Unread]; "" if it is none.
func Carrier(reason string, number int) string { return carriers[reason][number] }
