package proof

import (
	"crypto"
	"crypto/dsa" //lint:ignore SA1019 old certificates have DSA keys
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"

	"explainer/annotate/event"
	"explainer/capture"
	"explainer/capture/keys"
)

// Redoing is how much is told of what proofs are computed from.
type Redoing uint8

const (
	RedoNothing Redoing = iota
	RedoOpen            // all but secrets
	RedoAll
)

// redo notes what a proof is computed from; nil where that is not asked for.
func (h *Handshake) redo(kind string, open map[string]string, secret map[string][]byte) *event.Redo {
	if h.Redo == RedoNothing {
		return nil
	}
	r := &event.Redo{Kind: kind, Values: open}
	for name, value := range secret {
		if h.Redo == RedoAll {
			r.Values[name] = hex.EncodeToString(value)
		} else {
			r.Lacks = append(r.Lacks, name)
		}
	}
	slices.Sort(r.Lacks)
	return r
}

// hashOf is what programs call the hash that a version and a suite compute with.
func hashOf(version uint16, hash crypto.Hash) string {
	switch {
	case version < 0x0303:
		return "md5-sha1"
	case hash == crypto.SHA256:
		return "sha256"
	case hash == crypto.SHA384:
		return "sha384"
	}
	return ""
}

func (h *Handshake) redoFinished(s *keys.Suite, side int, raw [][]byte, secret, have []byte) *event.Redo {
	hash := hashOf(h.Version(), s.Hash)
	if h.Redo == RedoNothing || hash == "" || h.Version() < 0x0301 || h.DTLS() && h.Is13() {
		return nil
	}
	open := map[string]string{"hash": hash, "messages": hex.EncodeToString(slices.Concat(raw...)), "verify_data": hex.EncodeToString(have)}
	if h.Is13() {
		return h.redo(event.RedoFinished13, open, map[string][]byte{"secret": secret})
	}
	open["sender"] = [2]string{"client", "server"}[side]
	return h.redo(event.RedoFinished12, open, map[string][]byte{"master": secret})
}

// redoSignature notes a signature; how it is to be checked follows from version, scheme and key.
func (h *Handshake) redoSignature(scheme uint16, pub crypto.PublicKey, signed, sig []byte) *event.Redo {
	if h.Redo == RedoNothing || h.Version() < 0x0301 {
		return nil
	}
	hash := map[uint16]string{1: "md5", 2: "sha1", 3: "sha224", 4: "sha256", 5: "sha384", 6: "sha512"}[scheme>>8]
	how := ""
	switch pub := pub.(type) {
	case *rsa.PublicKey:
		switch {
		case h.Version() <= 0x0302:
			how, hash = "pkcs1", "md5-sha1"
		case scheme>>8 == 8:
			how, hash = "pss", map[uint16]string{4: "sha256", 5: "sha384", 6: "sha512", 9: "sha256", 10: "sha384", 11: "sha512"}[scheme&0xff]
		case scheme&0xff == 1:
			how = "pkcs1"
		}
	case *ecdsa.PublicKey, *dsa.PublicKey:
		if how = "dsa"; h.Version() <= 0x0302 {
			hash = "sha1"
		}
	case ed25519.PublicKey:
		if scheme == 0x0807 && len(pub) == ed25519.PublicKeySize {
			how, hash = "ed25519", "none"
		}
	}
	der, err := x509.MarshalPKIXPublicKey(pub)
	if c := h.Sides[1].Leaf; err != nil && c != nil && c.Parsed != nil && c.Key == pub {
		der, err = c.Parsed.RawSubjectPublicKeyInfo, nil // of DSA, which is no more made
	}
	if err != nil || how == "" || hash == "" {
		return nil
	}
	return h.redo(event.RedoSignature, map[string]string{"key": hex.EncodeToString(der), "how": how, "hash": hash,
		"signed": hex.EncodeToString(signed), "signature": hex.EncodeToString(sig)}, nil)
}

// RedoLinks notes the certificates of a chain, and which is signed by which: "1-2" says that the
// first is signed by the second.
func (h *Handshake) RedoLinks(cs *Certificates, chain []*Certificate) *event.Redo {
	if h.Redo == RedoNothing || len(chain) > MaxChain {
		return nil
	}
	var links []string
	open := map[string]string{}
	place := func(i int) string {
		name := strconv.Itoa(i + 1)
		open[name] = hex.EncodeToString(chain[i].DER)
		return name
	}
	for i, c := range chain {
		if c.Parsed == nil {
			return nil
		}
		for j, parent := range chain {
			if parent.Parsed != nil && string(parent.Parsed.RawSubject) == string(c.Parsed.RawIssuer) && cs.link(c, parent) == nil {
				links = append(links, place(i)+"-"+place(j))
				break
			}
		}
	}
	if len(links) == 0 {
		return nil
	}
	open["links"] = strings.Join(links, " ")
	return h.redo(event.RedoLinks, open, nil)
}

func (h *Handshake) redoBlock(pub *rsa.PublicKey, ciphertext, block []byte) *event.Redo {
	if h.Redo == RedoNothing {
		return nil
	}
	exponent := strconv.FormatInt(int64(pub.E), 16)
	return h.redo(event.RedoBlock, map[string]string{"modulus": hex.EncodeToString(pub.N.Bytes()), "exponent": strings.Repeat("0", len(exponent)%2) + exponent, "ciphertext": hex.EncodeToString(ciphertext)},
		map[string][]byte{"block": block})
}

// redoMaster notes what the master secret is made of: with seed either both randoms or a hash.
func (h *Handshake) redoMaster(s *keys.Suite, label string, seed, preMaster, master []byte) *event.Redo {
	hash := hashOf(h.Version(), s.Hash)
	if h.Redo == RedoNothing || hash == "" || h.Version() < 0x0301 {
		return nil
	}
	return h.redo(event.RedoMaster, map[string]string{"hash": hash, "label": label, "seed": hex.EncodeToString(seed)}, map[string][]byte{"premaster": preMaster, "master": master})
}

// RedoRecord notes a record with its secret; by names the line of the key log that opened it.
func (h *Handshake) RedoRecord(side int, by string, d *capture.AppData) *event.Redo {
	s := h.Suite()
	if h.Redo == RedoNothing || d.Record == nil || s == nil || h.Hello == nil || h.ServerHello == nil {
		return nil
	}
	cipher := map[keys.Cipher]string{keys.AESGCM: "aes-gcm", keys.ChaCha20Poly1305: "chacha20-poly1305"}[s.Cipher]
	hash := hashOf(h.Version(), s.Hash)
	if cipher == "" || hash == "" || s.TagLen != 16 {
		return nil
	}
	open := map[string]string{"cipher": cipher, "hash": hash, "record": hex.EncodeToString(d.Record), "number": hex.EncodeToString(binary.BigEndian.AppendUint64(nil, d.Number)), "keylength": strconv.Itoa(s.KeyLen)}
	if h.Is13() {
		secret := h.logged(by)
		if secret == nil {
			return nil
		}
		return h.redo(event.RedoRecord13, open, map[string][]byte{"secret": secret})
	}
	master, _, _, _ := h.masterOf()
	if master == nil {
		return nil
	}
	open["sender"] = [2]string{"client", "server"}[side]
	open["seed"] = hex.EncodeToString(slices.Concat(h.ServerHello.Random[:], h.Hello.Random[:]))
	return h.redo(event.RedoRecord12, open, map[string][]byte{"master": master})
}
