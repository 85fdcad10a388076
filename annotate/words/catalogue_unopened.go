package words

import "explainer/annotate/event"

// Why records stayed sealed, as exactly as it can be known. The values stand in
// JSON without "unopened-"; they are permanent. Each is the ID of a sentence.
const (
	NoClientHello     = "unopened-no-client-hello"             // nothing names its lines in a key log
	NoServer          = "unopened-one-direction"               // what the server sent is not in the capture
	OutOfTurn         = "unopened-out-of-turn"                 // over UDP: what says which keys they have came later, or is lost
	CutServerHello    = "unopened-cut-server-hello"            // some of it is among missing bytes
	NoServerHello     = "unopened-no-server-hello"             // it is among missing bytes
	NoKeyLog          = "unopened-no-keys"                     // none were given at all
	NoLine            = "unopened-no-line"                     // the key log has lines, none for this connection
	OtherDirection    = "unopened-other-direction"             // only one for the other direction
	OtherLine         = "unopened-other-line"                  // only ones that do not open these records
	GapBefore         = "unopened-gap"                         // bytes are missing, and the sequence was not found again
	CutRecords        = "unopened-cut"                         // no record of it is whole in the capture
	NoParent          = "unopened-resumed"                     // it takes up a session whose master secret is not known
	KeyAlone          = "unopened-private-key-other"           // no private key given is that of the certificate
	KeyForwardSecrecy = "unopened-private-key-forward-secrecy" // the key only signs
	KeyTLS13          = "unopened-private-key-tls13"
	KeyResumed        = "unopened-private-key-resumed"
	KeyPSK            = "unopened-private-key-psk"
	KeyPadding        = "unopened-private-key-padding"
	KeyNoSessionHash  = "unopened-private-key-session-hash"
	EchInner          = "unopened-ech"
	EchLines          = "unopened-ech-lines" // the inner hello is known
	NoSuite           = "unopened-suite"
	NoVersion         = "unopened-version"
	WrongKey          = "unopened-wrong-key"
	TooMany           = "unopened-too-many"
	Deflated          = "unopened-compressed"
	NoPhase           = "unopened-phase"
	OwnKeys           = "unopened-observed"  // the program was to write its keys, and has not
	PassedOn          = "unopened-passed-on" // the recording says that the proxy did not open it
	Eavesdropping     = "unopened-eavesdropper"
)

// unopenedSentences tell why records stayed sealed.
var unopenedSentences = []entry{
	{NoClientHello, "Not opened: the ClientHello is not in the capture. Its random number names this connection's lines in a key log, so even with the right key log nobody can tell which lines are for it.", []string{"9850 2", "5246 8.1"}},
	{NoServer, "Not opened: what {server} sent is not in the capture, so version, cipher suite and its random number are not known.", []string{"5246 6.3", "8446 7.1"}},
	{OutOfTurn, "What {sender} sent is not all opened: for this connection the key log has {label}. Records and packets that came before their keys could be chosen stay sealed, or behind others that are lost.", []string{"9850 2.2"}},
	{CutServerHello, "Not opened: only the beginning of the ServerHello is in the capture, so all that it chose, and with it what these records were sealed with, is not known.", []string{"5246 6.3", "8446 7.1"}},
	{NoServerHello, "Not opened: the ServerHello is not in the capture ({bytes} bytes that {gapsender} sent are missing, the first at offset {offset}), so version, cipher suite and its random number are not known.", []string{"5246 6.3", "8446 7.1"}},
	{NoKeyLog, "Not opened: no key log and no private key was given that says anything about this connection. Its client can be made to write one (SSLKEYLOGFILE), before it connects.", []string{"9850 1"}},
	{NoLine, "Not opened: of the {lines} of the key log that were known by then none is for this connection: none begins with the random number of its ClientHello. The log may be of another program or another time, or not whole.", []string{"9850 2"}},
	{OtherDirection, "What {sender} sent is not opened: for this connection the key log has only lines for what {other} sent ({label}).", []string{"9850 2", "8446 7.1"}},
	{OtherLine, "What {sender} sent is not all opened: for this connection the key log has {label}, and not the line that these records need.", []string{"9850 2", "8446 7.1"}},
	{GapBefore, "Not all that {sender} sent is opened: {bytes} bytes that {gapsender} sent are missing, the first at offset {offset}, and the place in the sequence of the records behind them was not found again. Each record opens only in its place.", []string{"5246 6.2.3", "8446 5.3"}},
	{CutRecords, "Not opened: of what {sender} sent encrypted no record is whole in the capture, and a record opens only whole.", []string{"5246 6.2.3", "8446 5.2"}},
	{NoParent, "Not opened: this connection takes up an earlier session and has no line of its own in a key log. It would open with the master secret of that session, which is not in the capture or not known.", []string{"5246 7.3", "5246 F.1.4"}},
	{KeyAlone, "Not opened: of the {keys} given none belongs to the certificate that {server} sent, so it does not open the secret of step 5.", []string{"5246 7.4.7.1"}},
	{KeyForwardSecrecy, "Not opened, and no lasting private key opens it: the secret was made with {exchange}, from keys for this connection alone. By the rules both sides have thrown their halves away; that is forward secrecy. A key log would open it.", []string{"5246 F.1.1.3", "8422 2"}},
	{KeyTLS13, "Not opened, and no lasting private key opens it: TLS 1.3 has no key exchange in which the certificate's key does more than sign (forward secrecy). A key log would open it.", []string{"8446 1.2", "8446 E.1"}},
	{KeyResumed, "Not opened: this connection takes up an earlier session, so no secret was sent here for a private key to open. It would open with the master secret of that session, which is not in the capture or not known.", []string{"5246 7.3", "5246 F.1.4"}},
	{KeyPSK, "Not opened: the secret is made from a pre-shared key, which a certificate's private key does not give. A key log would open it.", []string{"4279 2"}},
	{KeyPadding, "Not opened: the private key given is that of the certificate, but what {client} encrypted is not padded as it must be, so there is no secret in it. {Server} must go on with random bytes, which nobody knows.", []string{"5246 7.4.7.1"}},
	{KeyNoSessionHash, "Not opened, although the private key given opens the secret of step 5: the keys also depend on messages of the handshake that are not all in the capture (extended master secret).", []string{"7627 4"}},
	{EchInner, "Not opened: the hello carries encrypted client hello (ECH), and the key log has no line that opens what follows. If {server} accepted it, the lines are named by the random number of the inner hello, which is encrypted; whether it did cannot be told.", []string{"9849 7.2", "9850 2.3"}},
	{EchLines, "What {sender} sent is not opened: the key log opens the encrypted hello (ECH), but it has no line for what {sender} sent behind it, neither under the random number inside that hello nor under that of the one in clear.", []string{"9849 7.2", "9850 2.3"}},
	{NoSuite, "Not opened, with or without keys: {suite} cannot be opened here ({why}).", []string{"5246 A.5", "8446 B.4"}},
	{NoVersion, "Not opened, with or without keys: records of {version} with {suite} cannot be opened here.", []string{"5246 E.1", "8446 4.2.1"}},
	{WrongKey, "Not all that {sender} sent is opened: there is a key for this connection, and these records do not fit it. Either it is a wrong key, or bytes were changed or are missing in a way that does not show.", []string{"5246 6.2.3", "8446 5.2"}},
	{TooMany, "Not all that {sender} sent is opened: more bytes waited for a key than are kept. Give the key log before the capture, or the capture as a file.", nil},
	{Deflated, "Not all that {sender} sent is opened: the content is compressed, and what it needs to be undone is missing.", []string{"3749 2"}},
	{NoPhase, "Not all that {sender} sent is opened: the messages that say which keys these records have are not in the capture.", nil},
	{OwnKeys, "Not opened: when this was recorded, the program had written no key for this connection to the key log that it was told of (SSLKEYLOGFILE). Many programs write none.", []string{"9850 1"}},
	{PassedOn, "Not opened: the proxy passed this on as it was, so it has no keys to it, and none were given that say anything about this connection.", []string{"9850 1"}},
	{Eavesdropping, "Nothing is opened: whoever listens on the path has no keys.", nil},
}

// UnopenedWords are the reasons of an [Unopened] as short as they go, to be said of many connections.
func UnopenedWords(reason string) event.Text {
	if w, ok := unopenedWords["unopened-"+reason]; ok {
		return event.Text{English: w, Of: &event.Phrase{ID: "why/" + reason}}
	}
	return event.Plain(OfID(reason))
}

var unopenedWords = map[string]string{
	NoClientHello: "the ClientHello is not in the capture", NoServer: "one direction is not in the capture", NoServerHello: "the ServerHello is among missing bytes", CutServerHello: "the end of the ServerHello is missing", OutOfTurn: "what shows which keys they have came later, or is lost",
	NoKeyLog: "no keys were given", NoLine: "no line of the key log is for it", OtherDirection: "the key log has lines for the other direction alone",
	OtherLine: "the key log has lines for it, but none that opens these records", GapBefore: "bytes before it are missing", CutRecords: "none of its records is whole", NoParent: "it takes up a session whose secret is not known",
	KeyAlone: "no private key given is the server's", KeyForwardSecrecy: "its key exchange has forward secrecy: a private key opens nothing",
	KeyTLS13: "it is TLS 1.3: a private key opens nothing", KeyResumed: "it is resumed: a private key opens nothing", KeyPSK: "its pre-shared key is not known",
	KeyPadding: "the private key given does not open its secret", KeyNoSessionHash: "messages are missing that its secret depends on", EchInner: "its encrypted ClientHello is not known", EchLines: "the key log opens its encrypted ClientHello, and has no line for what follows",
	NoSuite: "its cipher suite cannot be opened here", NoVersion: "its version cannot be opened here", WrongKey: "the key that was given does not fit",
	TooMany: "the key came too late", Deflated: "it is compressed", NoPhase: "the keys of this part are not known", OwnKeys: "the program wrote no key for it", PassedOn: "the proxy passed it on as it was", Eavesdropping: "told as to somebody without keys",
}
