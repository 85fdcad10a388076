package words

// eyeSentences tell what of a connection opens to who has recorded it, and has something more later.
var eyeSentences = []entry{
	{"eye-several", "More than one handshake ran on this connection, each with a secret of its own. Who could open what later depends on each of them, and is not told here.", nil},
	{"eye-unknown", "What the keys of this connection were made of is not known here, so it cannot be said who could open it later.", nil},
	{"eye-key-psk", "The private key of the server's certificate opens nothing here: no certificate was sent, and no secret was ever encrypted with its key. In the earlier connection it signed, if that was one of TLS 1.3 with a certificate.", []string{"8446 2.2", "8446 4.6.1"}},
	{"eye-key-none", "There is no certificate here, so there is no lasting private key of it that somebody could get.", nil},
	{"eye-key-export", "The private key of the certificate opens nothing here: it signed the short key, and the secret was encrypted with that one.", []string{"2246 7.4.3"}},
	{"eye-key-resumed", "The master secret is that of connection {conn}, which is in this capture, too. There it came from an exchange with the key of the certificate: whoever gets the private key of {server} opens that exchange, and with its secret this connection.", []string{"5246 F.1.4", "5246 F.1.1.2"}},
	{"eye-key-resumed-elsewhere", "The master secret is that of an earlier connection, and the suite ({suite}) says that it came from an exchange with the key of the certificate. That exchange is not in this capture: who recorded it, too, opens both with the private key of {server}; with what is here alone it stays closed.", []string{"5246 7.4.1.3", "5246 F.1.1.2"}},
	{"eye-key-resumed-fresh", "The private key of the certificate opens nothing here: the master secret is that of an earlier connection, and the suite ({suite}) says that no secret was encrypted with that key there either.", []string{"5246 7.4.1.3", "5246 F.1.4"}},
	{"eye-key-inner", "The encrypted hello (ECH), if it is one and not random filling, is locked with another lasting key, the one that the server publishes for it: whoever gets the private half of that one reads the name inside, and not the data.", []string{"9849 4", "9849 10"}},
	{"eye-quantum-rsa", "A large quantum computer computes the private half of an RSA key from the public half, which is in this capture in clear (Shor's algorithm). The secret that was encrypted with it opens, and with it everything. No such computer is known to exist; whoever records today can wait.", []string{"5246 F.1.1.2"}},
	{"eye-quantum-dh", "A large quantum computer computes a private half from a public half, and both public halves are in this capture in clear (Shor's algorithm). That one half was thrown away does not help: forward secrecy is against stolen keys, not against computed ones. No such computer is known to exist; whoever records today can wait.", []string{"8446 E.1"}},
	{"eye-quantum-kem", "As far as is known, it stays closed: the common secret has a part in it that was sent encrypted by a key encapsulation on lattices ({group}), against which no fast algorithm is known, not for a quantum computer either. Signatures that such a computer could forge later come too late for this connection.", []string{"10024"}},
	{"eye-quantum-shared", "As far as is known, it stays closed: a secret goes into the keys that both sides were given otherwise, and no public half of it is in any packet. It must be long and random for that: a password can be guessed without a quantum computer.", []string{"8446 E.6"}},
	{"eye-quantum-elsewhere", "The secret that this connection takes up was made in an earlier one, and goes into its keys. That exchange is not in this capture: with what is here alone it stays closed. Who recorded the earlier one, too, opens both, unless that used a key encapsulation on lattices or a secret given otherwise.", []string{"8446 2.2", "5246 F.1.4"}},
	{"eye-quantum-earlier-holds", "As far as is known, it stays closed: the secret of connection {conn}, which goes into the keys here, comes from a key encapsulation on lattices, or from a secret that both sides were given otherwise.", []string{"8446 2.2"}},
	{"eye-quantum-resumed", "The secret that this connection takes up is that of connection {conn}, which is in this capture, too. A large quantum computer opens the exchange there (Shor's algorithm), and what was exchanged anew here, if anything was; so it opens this one. No such computer is known to exist; whoever records today can wait.", []string{"8446 2.2", "5246 F.1.4"}},
	{"eye-quantum-early", "The early data is another matter: its keys come from the secret of connection {conn} alone, and a large quantum computer opens the exchange there. So it opens.", []string{"8446 2.3", "8446 7.1"}},
	{"eye-quantum-inner", "The encrypted hello (ECH), if it is one and not random filling, opens, too, and shows the name inside: its key was agreed on with Diffie-Hellman on a curve, both public halves of which are public.", []string{"9849 6.1", "9180 7.1"}},
	{"eye-quantum-inner-holds", "With which exchange the encrypted hello (ECH), if it is one, was sealed is not known here, so it is not said that it opens.", []string{"9849 6.1"}},
}

// eyesPieces are what the page says of those who look.
var eyesPieces = map[string]string{
	"web/eyes-key":           "who gets the private key tomorrow",
	"web/eyes-quantum":       "a quantum computer, later",
	"web/eyes-key-title":     "Who has recorded this, and gets the private key of the server's certificate tomorrow",
	"web/eyes-quantum-title": "Who has recorded this, and has a large quantum computer one day",
	"web/eyes-opens-all":     "Opens.",
	"web/eyes-opens-part":    "A part opens.",
	"web/eyes-opens-none":    "Stays closed.",
	"web/eyes-not-known":     "Not known.",
	"web/redo":               "Check it yourself",
	"web/redo-lacks":         "Left out of this command, for it opens something: {names}. Put it in between the quotation marks, in hexadecimal; or let explainer read --format commands --show-secrets FILE write it.",
	"web/copy":               "Copy",
	"web/elsewhere":          "Take it elsewhere",
	"web/elsewhere-packet":   "Open the recording in Wireshark at its first packet. A recording of explainer has the keys inside; of another capture, add -o tls.keylog_file:KEYLOG.",
	"web/elsewhere-request":  "Make this request again, without its body. What is masked in the story is masked here.",
	"web/elsewhere-session":  "Take this session elsewhere: HTTP Archive, JSON, its checks, a redacted copy",
	"web/elsewhere-file":     "FILE is the recording, as -w wrote it.",
	"web/eyes-late":          "opens",
}
