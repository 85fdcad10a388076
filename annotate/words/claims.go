package words

import (
	"explainer/annotate/event"
)

// A claim is something that can be checked by mathematics: what it says and
// how it is checked. IDs are permanent.
type claim struct {
	id, claim, how string
	refs           []string
}

// The IDs of the proofs.
const (
	ProofSKE           = "server-key-exchange-signature"
	ProofServerCV      = "server-certificate-verify"
	ProofClientCV      = "client-certificate-verify"
	ProofServerFin     = "server-finished"
	ProofClientFin     = "client-finished"
	ProofLaterFin      = "client-later-finished"
	ProofServerLinks   = "certificate-links"
	ProofClientLinks   = "client-certificate-links"
	ProofRSABlock      = "rsa-block"
	ProofRSAKey        = "rsa-private-key"
	ProofRSAVersion    = "rsa-premaster-version"
	ProofRSAMaster     = "rsa-master"
	ProofServerRecords = "server-records"
	ProofClientRecords = "client-records"
	ProofServerFirst   = "server-first-record"
	ProofClientFirst   = "client-first-record"
	ProofEarlyFirst    = "early-first-record"
	ProofServerPacket  = "server-first-packet" // QUIC
	ProofClientPacket  = "client-first-packet"
	ProofEarlyPacket   = "early-first-packet"
	ProofResumed       = "resumed-master"
	ProofPSK           = "psk-binder"
	ProofLeaf          = "minted-leaf"
	ProofQUICClient    = "quic-client-initial"
	ProofQUICServer    = "quic-server-initial"
	ProofDelegated     = "delegated-credential"
	ProofQUICRetry     = "quic-retry-tag"
	ProofECH           = "ech-accepted"
	ProofECHOpened     = "ech-opened"
	ProofECHTaken      = "ech-confirmed"
	ProofECHNotTaken   = "ech-not-confirmed"
)

var claims = func() map[string]claim {
	m := make(map[string]claim)
	for _, c := range []claim{
		{ProofSKE, "The private key of the certificate of {server} made this message, for this very connection",
			"the signature over client random, server random and the parameters of its fresh key must hold under the public key of the first certificate",
			[]string{"5246 7.4.3", "8422 5.4"}},
		{ProofServerCV, "The private key of the certificate of {server} made this message, for this very connection",
			"the signature over 64 spaces, the words \"TLS 1.3, server CertificateVerify\", a zero byte and the hash of all handshake messages so far must hold under the public key of the first certificate",
			[]string{"8446 4.4.3"}},
		{ProofClientCV, "The private key of the certificate of {client} made this message, for this very connection",
			"the signature over all handshake messages so far (in TLS 1.3 over their hash with a fixed text before it) must hold under the public key of the client's first certificate",
			[]string{"5246 7.4.8", "8446 4.4.3"}},
		{ProofServerFin, "The Finished of {server} belongs to exactly these handshake messages and to this secret",
			"a keyed checksum (HMAC) of the hash of all handshake messages so far, keyed with a key derived from the logged secret, must equal the message's verify_data",
			[]string{"5246 7.4.9", "8446 4.4.4"}},
		{ProofClientFin, "The Finished of {client} belongs to exactly these handshake messages and to this secret",
			"a keyed checksum (HMAC) of the hash of all handshake messages so far, keyed with a key derived from the logged secret, must equal the message's verify_data",
			[]string{"5246 7.4.9", "8446 4.4.4"}},
		{ProofLaterFin, "The Finished of {client} after the handshake belongs to exactly that handshake, the request and what answered it, and to the secret of its data",
			"a keyed checksum (HMAC) of the hash of the whole handshake, the CertificateRequest, and what the client sent in answer, keyed with a key derived from the secret of the data it sends then, must equal the message's verify_data",
			[]string{"8446 4.4.4", "8446 4.6.2"}},
		{ProofServerLinks, "Every certificate whose issuer's certificate was also sent is signed with that issuer's key",
			"each certificate's signature must hold under the public key of the certificate whose subject is its issuer, a root's under its own",
			[]string{"5280 6.1", "5246 7.4.2", "8446 4.4.2"}},
		{ProofClientLinks, "Every certificate of {client} whose issuer's certificate was also sent is signed with that issuer's key",
			"each certificate's signature must hold under the public key of the certificate whose subject is its issuer, a root's under its own",
			[]string{"5280 6.1", "5246 7.4.6", "8446 4.4.2"}},
		{ProofRSABlock, "The recorded block is what {client} encrypted, and it is padded as it must be",
			"the block, raised to the public exponent modulo the certificate's modulus, must give the bytes of the ClientKeyExchange; it must begin with 00 02, then at least eight bytes that are not zero, a zero byte, and end with 48 bytes",
			[]string{"8017 7.2", "5246 7.4.7.1"}},
		{ProofDelegated, "The private key of the certificate signed the delegated credential that came with it",
			"the signature over 64 spaces, the words \"TLS, server delegated credentials\" (or client), a zero byte, the certificate, the credential and the algorithm must hold under the public key of the first certificate",
			[]string{"9345 4"}},
		{ProofRSAKey, "The private key that was given opens what {client} sent, and it is padded as it must be",
			"the bytes of the ClientKeyExchange, raised to the private exponent modulo the modulus, must give a block that begins with 00 02, then at least eight bytes that are not zero, a zero byte, and ends with 48 bytes; raised to the public exponent of the certificate, that block must give the bytes sent again",
			[]string{"8017 7.2", "5246 7.4.7.1"}},
		{ProofRSAVersion, "The secret begins with the version that {client} offered in its hello",
			"the first two of the 48 bytes must equal the version field of the ClientHello: whoever had lowered the version on the way would be found out here",
			[]string{"5246 7.4.7.1"}},
		{ProofRSAMaster, "The logged master secret is derived from the 48 bytes that are recorded, opened or logged as those of step 5",
			"the master secret computed from the 48 bytes must equal the one in the key log",
			[]string{"5246 8.1", "7627 4"}},
		{ProofServerFirst, "Nobody without the keys changed a byte of the first record of data from {server}",
			"the record was opened with the key of its direction and in its place in the sequence, and its check against changes (AEAD tag or MAC) is good",
			[]string{"5246 6.2.3", "8446 5.2", "8446 5.3"}},
		{ProofClientFirst, "Nobody without the keys changed a byte of the first record of data from {client}",
			"the record was opened with the key of its direction and in its place in the sequence, and its check against changes (AEAD tag or MAC) is good",
			[]string{"5246 6.2.3", "8446 5.2", "8446 5.3"}},
		{ProofServerRecords, "Nobody without the keys changed a byte of the data that {server} sent, and no record is missing in between",
			"every record must open with the key of its direction in its place in the sequence, with its check against changes (AEAD tag or MAC) good; one that is changed, missing or added makes the next one fail",
			[]string{"5246 6.2.3", "8446 5.2", "8446 5.3"}},
		{ProofClientRecords, "Nobody without the keys changed a byte of the data that {client} sent, and no record is missing in between",
			"every record must open with the key of its direction in its place in the sequence, with its check against changes (AEAD tag or MAC) good; one that is changed, missing or added makes the next one fail",
			[]string{"5246 6.2.3", "8446 5.2", "8446 5.3"}},
		{ProofEarlyFirst, "The first record of early data was encrypted under the logged early traffic secret, and nobody without the keys changed it",
			"the record was opened with that secret, its check against changes good",
			[]string{"8446 4.2.10", "8446 5.2"}},
		{ProofServerPacket, "Nobody without the keys changed a byte of the first packet with data from {server}",
			"the packet was opened with the key of its direction and its own number, and its check against changes (AEAD tag) is good",
			[]string{"9001 5.3"}},
		{ProofClientPacket, "Nobody without the keys changed a byte of the first packet with data from {client}",
			"the packet was opened with the key of its direction and its own number, and its check against changes (AEAD tag) is good",
			[]string{"9001 5.3"}},
		{ProofEarlyPacket, "The first packet of early data was encrypted under the logged early traffic secret, and nobody without the keys changed it",
			"the packet was opened with that secret, its check against changes good",
			[]string{"9001 4.6", "9001 5.3"}},
		{ProofResumed, "This connection uses the master secret of the earlier one",
			"the logged master secrets of both connections must be equal; where only the earlier one is logged, the Finished computed with it must be the one in the message",
			[]string{"5246 7.3", "5246 F.1.4", "5077 3.4"}},
		{ProofPSK, "{Client} knows the secret that it names, and it is the one of the earlier connection",
			"the binder, a keyed checksum of the hello without its binders, would have to be computed with that secret",
			[]string{"8446 4.2.11.2", "8446 4.6.1"}},
		{ProofLeaf, "The certificate on the wire is the one that the proxy says it made",
			"the SHA-256 of the first certificate must equal the one that the proxy noted",
			nil},
		{ProofQUICClient, "The keys of this Initial packet come from a connection ID that passed in clear",
			"the keys are derived with HKDF from that ID and a number in the standard; with them the packet's tag (AEAD) must be good",
			[]string{"9001 5.2", "9001 5.3"}},
		{ProofQUICServer, "The keys of this Initial packet come from a connection ID that passed in clear: whoever sent it had seen that ID",
			"the keys are derived with HKDF from that ID and a number in the standard; with them the packet's tag (AEAD) must be good",
			[]string{"9001 5.2", "9001 5.3"}},
		{ProofECH, "The keys of this record are made of another hello than the one in clear, as where {server} takes the encrypted one (ECH)",
			"the record's tag (AEAD) must be good under a secret that the key log names by another random number than that of the ClientHello in clear",
			[]string{"9849 7.2", "9850 2.3"}},
		{ProofECHOpened, "What is encrypted in this hello opens with the logged secret, and nobody without that secret changed it or the hello around it",
			"the keys are made of ECH_SECRET and ECH_CONFIG of the key log (HPKE); with them the tag (AEAD) over what is encrypted and the rest of the ClientHello must be good",
			[]string{"9849 5.2", "9180 5.1", "9850 2.3"}},
		{ProofECHTaken, "{Server} had opened the encrypted hello and took it",
			"the 8 bytes of the answer that stand for it (the last of the random number of a ServerHello, the extension of a HelloRetryRequest) must be those that HKDF makes of the random number of the encrypted hello and the hash of the messages so far, with zeros in their place",
			[]string{"9849 7.2", "9849 7.2.1"}},
		{ProofECHNotTaken, "{Server} did not take the encrypted hello",
			"the 8 bytes of the answer that stand for it (the last of the random number of a ServerHello, the extension of a HelloRetryRequest) must be others than those that HKDF makes of the random number of the encrypted hello and the hash of the messages so far, with zeros in their place",
			[]string{"9849 7.2", "9849 7.2.1"}},
		{ProofQUICRetry, "This Retry answers the first packet of {client}: whoever sent it had seen its connection ID",
			"the tag at its end must be that of AES-128-GCM, with a key that stands in the standard, over that ID and the Retry",
			[]string{"9001 5.8"}},
	} {
		m[c.id] = c
	}
	return m
}()

// claimed holds every claim as a template.
var claimed = func() map[string]*template {
	m := make(map[string]*template, len(claims))
	for id, c := range claims {
		m[id] = &template{source: c.claim, claim: "claim/" + id, cites: c.refs}
	}
	return m
}()

// Claim is a claim with its values.
func Claim(id string, a Values) event.Text {
	return claimed[id].fill(a).piece
}

// asClaim is what a filled claim says.
func (t *template) asClaim(f *filled) event.Text {
	of := &event.Phrase{ID: t.claim}
	for name, value := range f.typed {
		if of.Values == nil {
			of.Values = make(map[string]event.Text, len(f.typed))
		}
		of.Values[name] = value.Text
	}
	return event.Text{English: f.text, Of: of}
}

// NewProof is what a check of a claim came to.
func NewProof(id string, state event.ProofState, reason event.Text, inputs ...event.Field) event.Proof {
	c, ok := claims[id]
	if !ok {
		panic("words: no claim " + id)
	}
	return event.Proof{ID: id, Claim: event.Plain(c.claim), State: state, How: c.how, Inputs: inputs, Reason: reason, Refs: claimed[id].parsed().refs}
}
