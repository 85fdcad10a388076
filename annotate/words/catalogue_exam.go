package words

// examPieces ask about a connection, and answer.
var examPieces = map[string]string{
	"exam/title":     "Questions about {name} (seed {seed})",
	"exam/key-title": "What is right: questions about {name}, seed {seed}. A line is a number and its letters; behind a # stands why.",
	"exam/intro":     "All of this is about one real recording. One answer to each question is right, and what is right follows from the recorded bytes.",
	"exam/who":       "Name:",
	"exam/points":    "Points: ____ of {n}",
	"exam/packet":    "Packet",
	"exam/answer":    "Answer:",
	"exam/order-how": "Write all letters in the right order.",
	"exam/part":      "Connection {n}: {host}",
	"exam/blank":     "_______ (blank {n})",

	"exam/sends":        "{Who} sends {message}.",
	"exam/why-recorded": "So it is in this recording, in packet {packet}: {sent}",

	"exam/q-first":           "Which message of TLS comes first?",
	"exam/q-next":            "In packet {packet} this passed: {sent} Which message of TLS comes next in the recording?",
	"exam/q-order":           "In which order did these messages pass for the first time?",
	"exam/q-blank":           "Which message is left out at blank {n}, in packet {packet}?",
	"exam/q-verdict":         "Step {step} of the book: {title}. What became of it in this connection?",
	"exam/q-key-travels":     "How did both sides of this connection come to have a secret that nobody else has?",
	"exam/q-certificate-key": "What did the private key that belongs to the server's certificate do in this connection?",
	"exam/q-name-seen":       "Who could see in this connection which site was asked for?",
	"exam/q-request-seen":    "What does somebody on the path without any key see of the data in packet {packet}?",
	"exam/q-first-data":      "Who was the first to send encrypted data, behind or beside the handshake?",
	"exam/q-vouched":         "The server sent a certificate for {name}. If every check of it passes, what is known then?",
	"exam/q-port":            "The client connected to port 443. What is known by that alone?",
	"exam/q-refused":         "This handshake was ended. By whom, and how?",

	"exam/a-private-key":   "The server sends its private key.",
	"exam/a-plain-request": "The client sends its HTTP request, not encrypted.",
	"exam/a-client-key":    "The client sends the client key, encrypted with the public key of the certificate.",

	"exam/verdict-as-told":     "It happened as the book says.",
	"exam/verdict-differently": "Something else did the same job, or did it at another place in the order.",
	"exam/verdict-absent":      "It did not happen at all.",
	"exam/verdict-unseen":      "It happened inside one side: no message shows it, only its evidence does.",
	"exam/verdict-inherited":   "It was taken over from an earlier connection.",
	"exam/verdict-failed":      "Here the connection stopped.",
	"exam/verdict-not-reached": "It was not reached: the connection stopped before.",

	"exam/a-key-encrypted":   "The client made it, and sent it encrypted with the public key of the certificate.",
	"exam/a-key-agreed":      "It was never sent: each side computed it from a private value of its own and the public value of the other.",
	"exam/a-key-both":        "From two secrets: the server encrypted one to a fresh key of the client's, and the other was never sent.",
	"exam/a-key-certificate": "It stands in the server's certificate.",
	"exam/a-key-port":        "It belongs to port 443: whoever connects there has it.",
	"exam/a-key-hello":       "The server sent it in its ServerHello, not encrypted.",

	"exam/a-signed":         "It signed: the signature shows that the server had it.",
	"exam/a-decrypted":      "It decrypted what the client had encrypted with the certificate's public key.",
	"exam/a-encrypted-page": "It encrypted the page.",
	"exam/a-was-sent":       "It was sent to the client together with the certificate.",

	"exam/a-everybody":  "Everybody on the path.",
	"exam/a-nobody":     "Nobody on the path: HTTPS hides which site it is.",
	"exam/a-the-two":    "The client and the server alone.",
	"exam/a-key-holder": "On the path only somebody who has the server's private key.",
	"exam/why-name":     "The ClientHello in packet {packet} has the name {name}, not encrypted.",

	"exam/a-size-and-time": "About how much it is, when it passed, and between which addresses.",
	"exam/a-path":          "The path of the page, but not its content.",
	"exam/a-all":           "All of it: only passwords are encrypted.",
	"exam/a-not-even":      "Nothing at all, not even that something was sent.",
	"exam/why-request":     "What is in packet {packet} was encrypted, and was opened here with a key: its length, its time and the addresses are not encrypted.",

	"exam/a-client-first":     "The client.",
	"exam/a-server-first":     "The server.",
	"exam/a-certificate-does": "Neither: the certificate encrypts.",
	"exam/a-no-data":          "Nobody: data are only signed.",

	"exam/a-key-of-name": "That somebody whom the client trusts vouches that this public key belongs to that name.",
	"exam/a-honest":      "That the operator of the site is honest.",
	"exam/a-encrypts":    "That the page is encrypted with the certificate.",
	"exam/a-has-it":      "That the server has the private key at this moment: it sent the certificate.",
	"exam/why-vouched":   "A certificate can be sent by anybody who has seen it: that the server has the private key is shown by its signature or by its Finished, and nothing here says what the operator does.",

	"exam/a-nothing-yet":    "Where the client wants to go; nothing is protected yet.",
	"exam/a-port-encrypted": "That all that follows is encrypted.",
	"exam/a-port-checked":   "That the server's certificate was checked.",
	"exam/a-port-right":     "That it is the right server.",
	"exam/why-port":         "443 is only the default port of https: any protocol can be spoken there, and TLS on any other port.",

	"exam/a-refused": "{Who}, with the alert {alert}.",
	"exam/a-went-on": "Nobody: it went on to the data.",

	"exam/bad-key":    "line {line} of the key is no number with letters: {text}",
	"exam/bad-answer": "line {line} of the answers is no number with letters, or it is there twice: {text}",

	"exam/wrong":        "{n}: {given}, right is {right}",
	"exam/not-answered": "{n}: not answered, right is {right}",
	"exam/result":       "{points} of {of} points",

	"error/exam-one-file":  "the questions are about one capture; these are several",
	"error/exam-same-file": "the key would be written over the capture: give --key-file another name",
	"error/exam-questions": "--questions takes a number from 1 on",
	"error/exam-nothing":   "{file} has no connection that can be asked about",
	"hint/exam-nothing":    "it needs a TLS handshake; give its keys with --keylog to ask about what is encrypted",
	"error/exam-mark":      "exam mark takes two files: the key and the answers",
	"file/exam-key":        "key of the exam",
	"file/exam-answers":    "answers",
}
