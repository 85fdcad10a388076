package words

import (
	"encoding/hex"

	"explainer/annotate/event"
)

// kinds are the values of the two schedules: name, formula, sources.
var secretKinds = map[string]struct {
	name, how string
	refs      []string
}{
	"client-random": {"client random", "", []string{"5246 7.4.1.2"}},
	"server-random": {"server random", "", []string{"5246 7.4.1.3"}},
	"pre-master":    {"pre-master secret", "", []string{"5246 7.4.7", "5246 8.1"}},
	"master":        {"master secret", `PRF(pre-master secret, "master secret", client random + server random), 48 bytes`, []string{"5246 8.1"}},
	"session-hash":  {"session hash", "hash of all handshake messages through ClientKeyExchange", []string{"7627 3"}},
	"key-block":     {"key block", `PRF(master secret, "key expansion", server random + client random)`, []string{"5246 6.3"}},
	"client-mac":    {"client MAC key", "", []string{"5246 6.3"}},
	"server-mac":    {"server MAC key", "", []string{"5246 6.3"}},
	"client-key":    {"client key", "", []string{"5246 6.3"}},
	"server-key":    {"server key", "", []string{"5246 6.3"}},
	"client-iv":     {"client IV", "", []string{"5246 6.3"}},
	"server-iv":     {"server IV", "", []string{"5246 6.3"}},
	"client-verify": {"client Finished", `PRF(master secret, "client finished", hash of all handshake messages before it), 12 bytes`, []string{"5246 7.4.9"}},
	"server-verify": {"server Finished", `PRF(master secret, "server finished", hash of all handshake messages before it), 12 bytes`, []string{"5246 7.4.9"}},
	"messages-hash": {"hash of the messages", "", nil},

	"early":              {"early secret", "HKDF-Extract(0, pre-shared key, or zeros without one)", []string{"8446 7.1"}},
	"psk":                {"pre-shared key", "", []string{"8446 4.2.11"}},
	"binder":             {"binder key", `Derive-Secret(early secret, "ext binder" or "res binder", no messages)`, []string{"8446 7.1"}},
	"client-early":       {"client early traffic secret", `Derive-Secret(early secret, "c e traffic", ClientHello)`, []string{"8446 7.1"}},
	"early-exporter":     {"early exporter master secret", `Derive-Secret(early secret, "e exp master", ClientHello)`, []string{"8446 7.1", "8446 7.5"}},
	"derived-early":      {"derived", `Derive-Secret(early secret, "derived", no messages)`, []string{"8446 7.1"}},
	"dhe":                {"shared secret of the key exchange", "", []string{"8446 7.4"}},
	"handshake":          {"handshake secret", "HKDF-Extract(derived, shared secret of the key exchange, or zeros without one)", []string{"8446 7.1"}},
	"client-handshake":   {"client handshake traffic secret", `Derive-Secret(handshake secret, "c hs traffic", ClientHello...ServerHello)`, []string{"8446 7.1"}},
	"server-handshake":   {"server handshake traffic secret", `Derive-Secret(handshake secret, "s hs traffic", ClientHello...ServerHello)`, []string{"8446 7.1"}},
	"derived-handshake":  {"derived", `Derive-Secret(handshake secret, "derived", no messages)`, []string{"8446 7.1"}},
	"master13":           {"master secret", "HKDF-Extract(derived, 0)", []string{"8446 7.1"}},
	"client-application": {"client application traffic secret 0", `Derive-Secret(master secret, "c ap traffic", ClientHello...server Finished)`, []string{"8446 7.1"}},
	"server-application": {"server application traffic secret 0", `Derive-Secret(master secret, "s ap traffic", ClientHello...server Finished)`, []string{"8446 7.1"}},
	"next-application":   {"application traffic secret", `HKDF-Expand-Label(the one before, "traffic upd", "", length of the hash)`, []string{"8446 7.2"}},
	"exporter":           {"exporter master secret", `Derive-Secret(master secret, "exp master", ClientHello...server Finished)`, []string{"8446 7.1", "8446 7.5"}},
	"resumption":         {"resumption master secret", `Derive-Secret(master secret, "res master", ClientHello...client Finished)`, []string{"8446 7.1"}},
	"ticket-psk":         {"pre-shared key", `HKDF-Expand-Label(resumption master secret, "resumption", nonce of the ticket, length of the hash)`, []string{"8446 4.6.1"}},
	"ticket-nonce":       {"nonce of the ticket", "", []string{"8446 4.6.1"}},
	"key":                {"key", `HKDF-Expand-Label(secret, "key", "", length of the key)`, []string{"8446 7.3"}},
	"iv":                 {"IV", `HKDF-Expand-Label(secret, "iv", "", 12)`, []string{"8446 7.3"}},
	"quic-key":           {"key", `HKDF-Expand-Label(secret, "quic key", or in version 2 "quicv2 key", "", length of the key)`, []string{"9001 5.1", "9369 3.3.2"}},
	"quic-iv":            {"IV", `HKDF-Expand-Label(secret, "quic iv", or in version 2 "quicv2 iv", "", 12)`, []string{"9001 5.1", "9369 3.3.2"}},
	"quic-hp":            {"header protection key", `HKDF-Expand-Label(secret, "quic hp", or in version 2 "quicv2 hp", "", length of the key)`, []string{"9001 5.1", "9001 5.4", "9369 3.3.2"}},
	"quic-next":          {"application traffic secret", `HKDF-Expand-Label(the one before, "quic ku", or in version 2 "quicv2 ku", "", length of the hash)`, []string{"9001 6.1", "9369 3.3.2"}},
	"finished-key":       {"finished key", `HKDF-Expand-Label(secret, "finished", "", length of the hash)`, []string{"8446 4.4.4"}},
	"verify":             {"Finished", "HMAC(finished key, hash of all handshake messages before it)", []string{"8446 4.4.4"}},
}

// Secret makes a node of a schedule.
func Secret(id string, from event.Source, value []byte, made ...event.Secret) event.Secret {
	k, ok := secretKinds[id]
	if !ok {
		panic("words: no secret " + id)
	}
	s := event.Secret{ID: id, Name: event.Text{English: k.name, Of: &event.Phrase{ID: "secret/" + id}}, Value: hex.EncodeToString(value), From: from, Refs: CiteAll(k.refs), Made: made}
	if k.how != "" {
		s.How = event.Text{English: k.how, Of: &event.Phrase{ID: "secret-how/" + id}}
	}
	if _, ok := secretPieces["secret-opens/"+id]; ok {
		s.Opens = Named("secret-opens", id)
	}
	return s
}

// secretPieces say what a value opens, or what it is for.
var secretPieces = map[string]string{
	"secret-opens/pre-master":         "all of this connection, by way of the master secret",
	"secret-opens/master":             "all of this connection: its keys are made of it",
	"secret-opens/client-mac":         "no record: it shows that what the client sent was not changed",
	"secret-opens/server-mac":         "no record: it shows that what the server sent was not changed",
	"secret-opens/client-key":         "what the client encrypts behind its ChangeCipherSpec",
	"secret-opens/server-key":         "what the server encrypts behind its ChangeCipherSpec",
	"secret-opens/binder":             "no record: it makes the checksum by which a client shows that it has the pre-shared key",
	"secret-opens/client-early":       "early data, which a client sends before it has heard anything",
	"secret-opens/early-exporter":     "nothing on the wire: it is for the programs above TLS",
	"secret-opens/client-handshake":   "what the client encrypts up to its Finished",
	"secret-opens/server-handshake":   "what the server encrypts up to its Finished: its certificates too",
	"secret-opens/client-application": "what the client encrypts behind its Finished",
	"secret-opens/server-application": "what the server encrypts behind its Finished",
	"secret-opens/next-application":   "what its side encrypts behind its KeyUpdate",
	"secret-opens/quic-next":          "what its side encrypts behind its key update",
	"secret-opens/quic-hp":            "no content: it hides packet numbers, and stays the same behind a key update",
	"secret-opens/exporter":           "nothing on the wire: it is for the programs above TLS",
	"secret-opens/resumption":         "nothing of this connection: the pre-shared keys of later ones are made of it",
	"secret-opens/ticket-psk":         "nothing of this connection: a later one may begin with it",
	"secret-opens/finished-key":       "no record: it makes the checksum of the Finished",
}
