package words

// quicSentences tell QUIC and DTLS.
var quicSentences = []entry{
	{"connection-quic", "QUIC {version} over UDP, from {from} to {to}: a transport with TLS 1.3 built in, without TCP and without TLS records. The two hellos stand in its Initial packets, which everybody on the path can open and which are opened here; all that follows is sealed by QUIC itself and only counted here, also where a key log has its secrets (under the same labels as for TLS 1.3).", []string{"9000 1", "9001 4", "9001 5.2"}},
	{"connection-quic-google", "Google's own QUIC, {version}, from before the standard, over UDP, from {from} to {to}: it has no TLS in it but a handshake of its own, which is not read here; its packets are only counted.", []string{"8999 1"}},
	{"connection-quic-unread", "QUIC over UDP, from {from} to {to}, whose first packet here says {version}: how the packets of that version are to be read is not known here, so they are only counted.", []string{"8999 1", "9000 15"}},
	{"connection-dtls", "DTLS over UDP, from {from} to {to}: the handshake of TLS in records that may get lost, be doubled or come in another order, without TCP below. What of it is in clear is told here; encrypted records are only counted, also where a key log has their keys.", []string{"6347 3", "9147 3"}},

	{"quic-initial-client", "An Initial packet of {client}. It is encrypted, but with keys that come from the connection ID {id}, which passed in clear, and from a number in the standard: that keeps out mistakes, not readers.", []string{"9001 5.2", "9000 17.2.2"}},
	{"quic-initial-server", "An Initial packet of {server}: its keys come in the same way from the connection ID {id}, which passed in clear. That {server} knows them shows only that it, too, has seen that ID.", []string{"9001 5.2", "9000 17.2.2"}},
	{"quic-initial-more", "Another Initial packet of {sender}, opened with the keys that everybody can compute.", []string{"9001 5.2"}},
	{"quic-initial-sealed", "{Sender} sent {count}, {bytes} bytes; {reason}.", []string{"9001 5.2"}},
	{"quic-frames-broken", "WARNING: what is in this packet is not what may stand in an Initial packet; its tag fits all the same, which anybody can bring about.", []string{"9000 12.4"}},
	{"quic-token", "{Client} hands back the token of {size} bytes that it was given: so it does receive what is sent to its address.", []string{"9000 8.1.2"}},
	{"quic-token-earlier", "It hands in a token of {size} bytes: by the rules one of an earlier connection with {server}, or of a Retry that is not in the capture.", []string{"9000 8.1.3"}},
	{"quic-retry", "{Server} keeps nothing yet and asks {client} to come again with this token of {size} bytes: only somebody who receives what is sent to that address can. The Initial keys change with it, for they now come from the connection ID that is given here.", []string{"9000 8.1.2", "9001 5.2"}},
	{"quic-version-negotiation", "{Server} does not speak the version that {client} chose and lists its own: {versions}. Nobody signs this, so {client} must not let itself be led to an older version by it.", []string{"9000 6", "8999 6", "9368 4"}},
	{"quic-close", "{Sender} closes the connection: {cause}. This packet can be made by anybody on the path.", []string{"9000 10.2.3", "9001 4.8"}},
	{"quic-handshake-server", "{Server} sent {count} of the handshake ({bytes} bytes). What is in them is not seen; by the rules it is what TLS 1.3 sends after the ServerHello, up to the Finished, with a certificate if one is sent, encrypted with keys that only the two ends can compute. {Reason}.", []string{"9001 4.1.4", "9000 17.2.4"}},
	{"quic-handshake-client", "{Client} sent {count} of the handshake ({bytes} bytes). What is in them is not seen; by the rules it is its part of the handshake, up to its Finished, and what it acknowledges, encrypted with keys that only the two ends can compute. {Reason}.", []string{"9001 4.1.4", "9000 17.2.4"}},
	{"quic-1rtt", "{Sender} sent {count} ({bytes} bytes) under the keys for application data. What is in them, data or only acknowledgements, cannot be seen. {Reason}.", []string{"9000 17.3.1", "9001 5"}},
	{"quic-0rtt", "{Client} sent {count} ({bytes} bytes) marked as early data (0-RTT). What is in them is not seen; by the rules it is data, encrypted under a secret of an earlier connection with {server}, for which no answer had to be awaited. Whoever records them can send them again. {Reason}.", []string{"9001 4.6", "9001 9.2", "9000 17.2.3"}},
	{"quic-other", "{Sender} sent {count} ({bytes} bytes) of {version}, which is not read here.", []string{"8999 5.1"}},
	{"quic-rest", "{Sender} sent {bytes} bytes here that are no packet of QUIC.", nil},

	{"hello-verify-request", "{Server} keeps nothing yet and asks {client} to say hello again with this cookie of {size} bytes: only somebody who receives what is sent to that address can. Neither this message nor the hello before it enters a later checksum.", []string{"6347 4.2.1", "6347 4.2.6"}},
	{"client-hello-cookie", "It hands back the cookie of {size} bytes: so {client} does receive what is sent to its address.", []string{"6347 4.2.1"}},
	{"client-hello-anew", "{Client} says hello for another handshake between the same two ports. The steps tell of the first.", []string{"6347 4.2.8"}},

	{"step-1-quic", "There is no TCP connection: {client} sent a UDP datagram to port {port} of {server} with its hello of TLS already in it. Connecting and saying hello are one.", []string{"9000 7", "9114 3.1"}},
	{"step-1-dtls", "There is no TCP connection: {client} sent its hello to UDP port {port} of {server}, in a datagram that may get lost and that it then sends again.", []string{"6347 3", "9147 3"}},
	{"step-1-udp-midstream", "There is no TCP connection, but datagrams to UDP port {port} of {server} ({protocol}). The hello of {client} is not in the capture or cannot be read here; which end is the client is then told by the packets that are there, or by the port numbers.", []string{"9000 7", "6347 3"}},
	{"step-1-failed-udp", "{Client} sent its hello to UDP port {port} of {server}; it ended there, before any other step: {cause}.", []string{"9000 10.2.3", "6347 4.2.8"}},
	{"step-4a-udp", "{Client} went on with {count}, sealed. What it checked, and whether one of them refuses the certificate, cannot be seen.", []string{"5280 6", "8446 6.2"}},
	{"step-7-quic", "{Server} sent {count} ({bytes} bytes) under the keys for application data: that much their headers show. Whether there is data in them, or only acknowledgements and tickets, is sealed.", []string{"9000 17.3.1", "9001 4.1.4"}},
	{"step-7-quic-none", "No packet of {server} under the keys for application data is in the capture.", []string{"9000 17.3.1"}},
	{"step-8-quic", "Cannot be told: whether {server} sent data at all is sealed.", []string{"9000 17.3.1"}},
	{"step-udp-no-hello", "Cannot be told: the hellos are not in the capture, or cannot be read here.", nil},
	{"step-udp-no-answer", "Cannot be told: no hello of {server} that can be read here is in the capture.", nil},
	{"summary-quic", "QUIC's Initial packets are open to everybody, so this is what everybody on the path sees: {seen}. The rest stays sealed: {sealed}.", []string{"9001 5.2"}},
	{"summary-quic-sealed", "Nothing of this connection was opened here. What everybody on the path sees of it: {seen}. What passed: {sealed}.", nil},
	{"summary-dtls", "DTLS is not opened here, so this is what everybody on the path sees of it: {seen}; and whatever else of the handshake is not encrypted. {Count} stayed sealed.", nil},
}
