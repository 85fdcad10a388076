package words

import (
	"slices"

	"explainer/annotate/event"
)

// A StepInfo is one of the textbook's steps beside what TLS really does, or one of the claims
// that it makes around them.
type StepInfo struct {
	Step       event.Step `json:"step"` // or [AroundKeys], [AroundRequests]
	Title      string     `json:"title"`
	Textbook   string     `json:"textbook"`    // as the textbook tells it, in our words
	TLS12RSA   string     `json:"tls12_rsa"`   // TLS 1.2 with RSA key transport, the textbook's own
	TLS12ECDHE string     `json:"tls12_ecdhe"` // TLS 1.2 with (EC)DHE
	TLS13      string     `json:"tls13"`
	Refs       []string   `json:"refs"`
}

// What the textbook says around its steps, as rows of the table of the steps.
const (
	AroundKeys     event.Step = "keys"     // its three keys
	AroundRequests event.Step = "requests" // its two HTTP requests
)

// TitleOf returns a step in the textbook's words, as short as they go.
func TitleOf(s event.Step) string {
	if i := slices.Index(event.Steps, s); i >= 0 {
		return stepTable[i].Title
	}
	return ""
}

// StepTable returns the steps in order, and what the textbook says around them.
func StepTable() []StepInfo {
	out := slices.Concat(stepTable, aroundTable)
	for i := range out {
		out[i].Refs = CiteAll(out[i].Refs)
	}
	return out
}

// StepTable is the table of the steps in a language.
func (l Language) StepTable() []StepInfo {
	out := StepTable()
	for i := range out {
		s := &out[i]
		for field, text := range map[string]*string{"title": &s.Title, "textbook": &s.Textbook, "tls12-rsa": &s.TLS12RSA, "tls12-ecdhe": &s.TLS12ECDHE, "tls13": &s.TLS13} {
			if in, ok := l.fill(field+"/"+string(s.Step), nil, nil); ok && l == Chinese {
				*text = in
			}
		}
	}
	return out
}

var stepTable = []StepInfo{
	{
		event.Step1, "the client connects to port 443 of the server",
		"The client begins an HTTPS request: it connects to the server's port 443.",
		"As told, if the port is 443: TCP's SYN, SYN-ACK, ACK. Then both sides first say hello, with two random numbers of 32 bytes, a version and a cipher suite. The story leaves that out, though every later key depends on it.",
		"The same.",
		"The same; but the client's hello already carries fresh public keys, which does the work of step 5.",
		[]string{"9293 3.5", "9110 4.2.2", "5246 7.4.1", "8446 4.1.2"},
	},
	{
		event.Step2, "the server has a key pair; the private key never leaves it",
		"The server has a key pair for asymmetric encryption. The private key never leaves it.",
		"Inside the server; no message. Sending the certificate does not show it. The server's Finished does: only the private key opens the secret from which it is made.",
		"Inside the server; shown by its signature over both random numbers and its fresh key (ServerKeyExchange).",
		"Inside the server; shown by its signature over the hash of everything said so far (CertificateVerify). With a secret of an earlier connection (PSK) no certificate and no lasting key pair is used.",
		[]string{"5246 F.1.1.2", "5246 7.4.3", "8446 4.4.3"},
	},
	{
		event.Step3, "the server sends its public key",
		"The server sends its public key to the client.",
		"As told, in clear, but in a certificate: a chain that says whose key it is and who vouches for that.",
		"Two keys, both in clear: the one in the certificate, which only checks signatures, and a fresh one for this connection.",
		"Two keys: a fresh one in the ServerHello, in clear, and the one in the certificate, already encrypted. With X25519MLKEM768 the ServerHello brings a ciphertext instead.",
		[]string{"5246 7.4.2", "5246 7.4.3", "8446 4.1.3", "8446 4.4.2"},
	},
	{
		event.Step4a, "the client checks it",
		"The client checks the public key, strictly the certificate: was it issued by a trusted authority, and is it still valid?",
		"Inside the client: chain, name, dates, perhaps revocation. On the wire one sees at most an alert, and Firefox sends that after step 5.",
		"The same.",
		"The same; the certificate came encrypted, and the client checks it long after it has sent its own share.",
		[]string{"5280 6", "9525 6", "9110 4.3.4", "5246 7.2.2", "8446 6.2"},
	},
	{
		event.Step4b, "the client makes a random client key",
		"The client makes a random value: the client key, for symmetric encryption.",
		"46 random bytes with two bytes of version before them: the premaster secret. It is never itself a key; the keys are derived from it and both random numbers.",
		"The client makes a fresh key pair. The secret comes from one side's private half and the other's public half.",
		"The same, but before step 3, before the server has spoken. With X25519MLKEM768 the server makes one of the two parts of the secret at random.",
		[]string{"5246 7.4.7.1", "5246 8.1", "8446 4.2.8", "8446 7.1"},
	},
	{
		event.Step4c, "the client encrypts the client key with the server's public key",
		"The client encrypts the client key with the server's public key.",
		"As told: the 48 bytes, padded and encrypted with RSA.",
		"Does not happen: no secret travels, the certificate's private key only signs.",
		"Does not happen. With X25519MLKEM768 it is back, reversed: the server encrypts its part of the secret with the client's fresh key.",
		[]string{"8017 7.2", "5246 7.4.7.1", "8446 1.2", "10024"},
	},
	{
		event.Step5, "the client sends the encrypted client key",
		"The client sends the encrypted client key to the server.",
		"As told: the ClientKeyExchange message. Whoever gets the private key later can open it in an old recording, so this is deprecated.",
		"The ClientKeyExchange message carries the client's fresh public key, in clear.",
		"The client's fresh public key stood in its very first message (or, after a HelloRetryRequest, in its second). With X25519MLKEM768 the server sends its part of the secret, encrypted.",
		[]string{"5246 7.4.7", "8422 5.7", "10015 4", "8446 4.2.8"},
	},
	{
		event.Step6a, "the server decrypts it with its private key",
		"The server decrypts the client key with its private key.",
		"Inside the server; shown by its Finished, which comes out right only for who has the secret.",
		"Does not happen: the private key has signed, earlier.",
		"Does not happen: the private key signs. With X25519MLKEM768 the client decrypts, with its own fresh key.",
		[]string{"5246 7.4.7.1", "5246 7.4.9", "8446 4.4.3"},
	},
	{
		event.Step6b, "the server encrypts the data with the client key",
		"The server encrypts the data symmetrically, with the client key.",
		"With a key derived for its direction; the client has one for the other, and encrypts first.",
		"The same.",
		"The server encrypts from the message after its ServerHello on, so its certificate is encrypted too.",
		[]string{"5246 6.3", "5246 7.1", "8446 7.1", "8446 7.3"},
	},
	{
		event.Step7, "the server sends the ciphertext",
		"The server sends the ciphertext to the client.",
		"As told, in records that also carry a check against changes.",
		"The same.",
		"The same; from outside, every record looks like data.",
		[]string{"5246 6.2.3", "5246 10", "8446 5.2"},
	},
	{
		event.Step8, "the client decrypts it",
		"The client decrypts the ciphertext with the client key and has the data.",
		"Inside the client, with the derived key of the server's direction; who has the keys can repeat it.",
		"The same.",
		"The same.",
		[]string{"5246 6.3", "8446 7.3"},
	},
}

// aroundTable is what the textbook says around its steps. The counts are by RFC 5246 6.3 and
// RFC 8446 7.1 to 7.3: IVs, nonces and secrets that only make others are no keys.
var aroundTable = []StepInfo{
	{
		AroundKeys, "three keys: the server's pair and the client's random one",
		"There are three keys: the server's public and private key, and the client key, which encrypts the data of both sides.",
		"One key pair, the server's; one secret of 48 bytes; from it two keys that encrypt, one a direction, and with CBC suites two more that authenticate.",
		"Three key pairs: the certificate's, which signs, and a fresh one on each side; one secret that never travels; the same two or four keys.",
		"Three key pairs, and one more for each share that was offered and not used; with X25519MLKEM768 four, and two secrets joined into one. Four keys that encrypt: a direction's for the handshake, then for the data; KeyUpdate makes more.",
		[]string{"5246 6.3", "8446 7.1", "8446 7.3"},
	},
	{
		AroundRequests, "one HTTPS request is two HTTP requests",
		"One HTTPS request is really two: steps 1 to 4 are the first, steps 5 to 8 the second.",
		"No HTTP is spoken before both sides are ready: two round trips of handshake on one TCP connection, one where a session is resumed. Then follow as many requests as one likes, on the same keys.",
		"The same.",
		"One round trip of handshake, two with HelloRetryRequest; with early data the request comes along with the first hello.",
		[]string{"5246 7.3", "8446 2", "8446 2.3"},
	},
}
