package words

// OddOrder is in which order the odd things are told, the worst first.
var OddOrder = func() []string {
	var ids []string
	for _, e := range overviewSentences {
		ids = append(ids, e.id)
	}
	return ids
}()

// overviewSentences tell what is odd in a capture, the worst first.
var overviewSentences = []entry{
	{"odd-no-tls", "No TLS was found in this capture.", nil},
	{"odd-carrier", "{what} was passed over. It can carry TLS inside its packets, where none is looked for here; Wireshark and tshark (-Y tls) read that.", nil},
	{"odd-heartbleed-answered", "A heartbeat message that had to be dropped in silence was answered: the fault Heartbleed, or one like it.", []string{"6520 4"}},
	{"odd-heartbeat-longer", "Encrypted heartbeats were answered with far more bytes than they had: so looks the fault Heartbleed from outside.", []string{"6520 4"}},
	{"odd-heartbleed", "A heartbeat message claims more than it has, as one does that is to read the other side's memory (Heartbleed).", []string{"6520 4"}},
	{"odd-downgrade", "The version may have been lowered by somebody on the path: the server's random number says that it could do better.", []string{"8446 4.1.3"}},
	{"odd-bad-tag", "Records do not fit the key that should open them.", nil},
	{"odd-certificate", "The server's certificate fails a check that is made here: {what}.", nil},
	{"odd-suite-null", "{what} does not encrypt: everybody on the path can read along.", []string{"5246 6.2.3.1"}},
	{"odd-anonymous", "Nothing proves who the server is (anonymous key exchange).", []string{"5246 F.1.1.1"}},
	{"odd-suite-export", "{what} is weak on purpose (export suites of the 1990s).", nil},
	{"odd-ssl", "{what} is broken and must not be used.", []string{"6176 3", "7568 3"}},
	{"odd-suite-rc4", "{what} encrypts with RC4, which must not be used.", []string{"7465 2"}},
	{"odd-suite-des", "{what} encrypts with DES or 3DES, whose blocks are too short for much data.", []string{"9325 4.1"}},
	{"odd-old-version", "{what} is deprecated.", []string{"8996 4", "8996 5"}},
	{"odd-rsa", "RSA key transport, the textbook's way, is deprecated: whoever gets the server's private key later reads all of it.", []string{"10015 4"}},
	{"odd-rsa-chosen", "The server chose RSA key transport, the textbook's way, which is deprecated; of what it would protect nothing is in this capture.", []string{"10015 4"}},
	{"odd-dhe", "Finite-field Diffie-Hellman in TLS 1.2 and before is deprecated.", []string{"10015 3", "8996 4"}},
	{"odd-dhe-small", "A Diffie-Hellman modulus of {what} bits is too small today.", []string{"7919 1", "10015 3"}},
	{"odd-key-reused", "A key that should be fresh was used in another connection before.", nil},
	{"odd-unregistered", "The cipher suite is in no registry.", nil},
	{"odd-misplaced-hello", "A second ClientHello comes where none has a place.", nil},
	{"odd-renegotiation", "A second handshake takes place inside the connection (renegotiation).", []string{"5746 3"}},
	{"odd-malformed", "Something in a connection breaks the protocol; that direction is not read further.", nil},
	{"odd-gap", "Bytes were sent that are not in the capture.", nil},
	{"odd-left-out", "Some of the recording is not read here. Connections that began there are told from where they go on.", nil},
	{"odd-again", "A connection is captured more than once, as its random and sequence numbers show; it is counted once. This is one of the others.", nil},
	{"odd-midstream", "The capture does not hold the beginning of a connection, which may be older than it.", nil},
	{"odd-plain-http", "Plain HTTP, without TLS: everybody on the path can read along.", []string{"9110 4.2.1"}},
	{"odd-quic", "QUIC, which has TLS 1.3 inside. Everybody who sees its first packets can read its hellos, so they are told; the rest is opened where its keys are known.", []string{"9001 5.2"}},
	{"odd-dtls", "DTLS, which is TLS over datagrams: its records may get lost, be doubled or come in another order, and each is opened without the others.", []string{"9147 1"}},
}
