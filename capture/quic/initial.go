package quic

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"

	"explainer/capture/keys"
)

// salt returns the salt from which a version's Initial keys are derived, nil if
// none is known (RFC 9001 5.2, RFC 9369 3.3.1; the drafts had others).
func salt(version uint32) []byte {
	switch version {
	case Version1:
		return salts.v1
	case Version2:
		return salts.v2
	case draftV2:
		return salts.draftV2
	case mvfst22:
		return salts.draft22
	case mvfst27, mvfstExp:
		return salts.draft23
	case 0x54303530:
		return salts.t050
	case 0x54303531:
		return salts.t051
	}
	switch d := draft(version); {
	case d == 22:
		return salts.draft22
	case d >= 23 && d <= 28:
		return salts.draft23
	case d >= 29 && d <= 32:
		return salts.draft29
	case d == 33 || d == 34:
		return salts.v1
	}
	return nil
}

var salts = struct{ v1, v2, draftV2, draft29, draft23, draft22, t050, t051 []byte }{
	v1:      unhex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a"),
	v2:      unhex("0dede3def700a6db819381be6e269dcbf9bd2ed9"),
	draftV2: unhex("a707c203a59b47184a1d62ca570406ea7ae3e5d3"),
	draft29: unhex("afbfec289993d24c9e9786f19c6111e04390a899"),
	draft23: unhex("c3eef712c72ebb5a11a7d2432bb46365bef9f502"),
	draft22: unhex("7fbcdb0e7c66bbe9193a96cd21519ebd7a02644a"),
	t050:    unhex("7ff579e5acd072915580304c43a2367c60487310"),
	t051:    unhex("7a4edef4e7ccee5fa4506c19124fc8ccda6e033d"),
}

// retryKeys are the published key and nonce of a version's Retry tags (RFC 9001
// 5.8, RFC 9369 3.3.3), nil if none are known.
func retryKeys(version uint32) (key, nonce []byte) {
	switch version {
	case Version1:
		return retries[0], retries[1]
	case Version2:
		return retries[2], retries[3]
	}
	switch d := draft(version); {
	case d >= 29 && d <= 32:
		return retries[4], retries[5]
	case d == 33 || d == 34:
		return retries[0], retries[1]
	}
	return nil, nil
}

var retries = [6][]byte{
	unhex("be0c690b9f66575a1d766b54e368c84e"), unhex("461599d35d632bf2239825bb"),
	unhex("8fb4b01b56ac48e260fbcbcead7ccc92"), unhex("d86969bc2d7c6d9990efb04a"),
	unhex("ccce187ed09a09d05728155a6cb96be1"), unhex("e54930f97f2136f0530a8c1c"),
}

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

// Keys open the Initial packets of both directions.
type Keys struct {
	dir [2]*protection // the client's packets, the server's
}

// suiteInitial protects Initial packets whatever is agreed later (RFC 9001 5.2).
const suiteInitial = 0x1301 // TLS_AES_128_GCM_SHA256

// InitialKeys derives the keys of the Initial packets from the destination
// connection ID of the client's first one (RFC 9001 5.2). It tells nil where the
// version's salt is not known.
func InitialKeys(version uint32, dcid []byte) *Keys {
	s := salt(version)
	suite, ok := keys.SuiteByID(suiteInitial)
	if s == nil || !ok {
		return nil
	}
	secret, err := hkdf.Extract(sha256.New, dcid, s)
	if err != nil {
		return nil // never: there is a hash
	}
	k := new(Keys)
	for i, label := range [2]string{"client in", "server in"} {
		k.dir[i] = newProtection(LabelPrefix(version), suite, keys.ExpandLabel(suite.Hash, secret, label, nil, suite.Hash.Size()))
	}
	return k
}

// Open takes the header protection off an Initial packet and decrypts it. side
// is 0 for a packet of the client, 1 of the server; expected is one more than
// the highest packet number opened before on that side. It tells false where
// the packet's tag does not fit.
func (k *Keys) Open(side int, packet []byte, h *Header, expected uint64) (number uint64, payload []byte, ok bool) {
	if h.Type != Initial || h.Cut > 0 || h.Len > len(packet) || h.number+4+tagLen > h.Len {
		return 0, nil, false
	}
	d := k.dir[side&1]
	packet = packet[:h.Len]
	head, truncated, n := d.unmask(nil, packet, h.number)
	number = packetNumber(expected, truncated, n)
	payload, ok = d.open(nil, number, head, packet[h.number+n:])
	return number, payload, ok
}

// packetNumber completes a packet number of which n bytes were sent (RFC 9000 A.3).
func packetNumber(expected, truncated uint64, n int) uint64 {
	window := uint64(1) << (8 * n)
	number := expected&^(window-1) | truncated
	switch {
	case number+window/2 <= expected && number < 1<<62-window:
		return number + window
	case number > expected+window/2 && number >= window:
		return number - window
	}
	return number
}

// CheckRetry tells whether a Retry answers the client's packet with the
// destination connection ID dcid: its tag covers that ID (RFC 9001 5.8). known
// is false where the version has no such tag that is known here.
func CheckRetry(packet []byte, h *Header, dcid []byte) (good, known bool) {
	key, nonce := retryKeys(h.Version)
	if key == nil || len(h.Tag) != tagLen || h.Cut > 0 || len(dcid) > 255 {
		return false, false
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return false, false
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return false, false
	}
	pseudo := append([]byte{byte(len(dcid))}, dcid...)
	pseudo = append(pseudo, packet[:h.Len-tagLen]...)
	_, err = aead.Open(nil, nonce, h.Tag, pseudo)
	return err == nil, true
}
