package annotate

// connectionSentences tell the beginning and end of connections.
var connectionSentences = []entry{
	{"connection-opened", "A TCP connection from {from} to {to}: SYN, SYN-ACK.", []string{"9293 3.5"}},
	{"connection-asked", "{from} asks {to} for a TCP connection (SYN); no SYN-ACK that accepts it is in the capture.", []string{"9293 3.5"}},
	{"connection-midstream", "A TCP connection from {from} to {to}; its beginning (SYN, SYN-ACK) is not in the capture, so which of the two opened it is inferred.", []string{"9293 3.5"}},
	{"closed", "{Sender} sends no more on this connection (FIN).", []string{"9293 3.6"}},
	{"closed-truncated", "{Sender} ended the connection (FIN) without the close_notify alert of TLS. So nothing proves that its data is complete: FIN can be forged by anybody on the path.", []string{"5246 7.2.1", "8446 6.1"}},
	{"closed-reset", "{Sender} tore the connection down (RST).", []string{"9293 3.6"}},
	{"closed-refused", "{Sender} refused the connection: it answered the SYN with a RST.", []string{"9293 3.5.2"}},
	{"closed-left-out", "This connection ended in a part of the recording that is left out here: how, and what else it carried, is not told.", nil},
	{"closed-not-followed", "This connection is not followed any longer: too many are open at once in this capture, and of all it had been silent for longest. Its end, and what may still come of it, is not told as its own.", nil},
	{"closed-ports-reused", "From here on the same addresses and ports are used with other sequence numbers, as those of another connection. So this one is not followed any longer; its end is not in the capture.", []string{"9293 3.4"}},
	{"records-counted", "All records of data from {sender} that are in this capture ({count}, {bytes} bytes) were opened here, each in its place in the sequence and with a good check against changes: none was changed, and none is missing in between.", []string{"5246 6.2.3", "8446 5.3"}},
	{"records-complete", "The close_notify of {sender} came in its place too, so nothing is missing at the end either.", []string{"5246 7.2.1", "8446 6.1"}},
	{"records-counted-partly", "Of what {sender} sent, {count} with data opened here, and {sealed} stayed sealed.", nil},
	{"records-counted-gap", "All records of data from {sender} that are whole in this capture ({count}, {bytes} bytes) were opened here, each with a good check against changes; but bytes of this connection are missing, so they are not all that was sent.", []string{"5246 6.2.3", "8446 5.3"}},
	{"connection-continued", "A TCP connection from {from} to {to}. It began in a part of the recording that is not read here; that {from} opened it is the recording's word.", []string{"9293 3.5"}},
	{"missing-left-out", "{bytes} bytes that {sender} sent are left out here: they passed, but what is read does not hold them. What depends on them cannot be checked any more; that does not make it false.", nil},
	{"missing", "The capture lacks {bytes} bytes that {sender} sent. What depends on them cannot be checked any more; that does not make it false.", nil},
	{"again", "The next record of {sender} opens, with its check against changes, when {count} before it are counted as missing. So it is certain: {count} of {sender} are not in this capture, whole or in part, and what follows is read in its right place.", []string{"5246 6.2.3", "8446 5.3"}},
	{"again-at-least", "The next record of {sender} opens, with its check against changes, under keys that came into use where bytes are missing, and with {count} before it under the same keys. So at least {count} of {sender} are not in this capture, whole or in part.", []string{"5246 6.2.3", "8446 5.3", "8446 7.2"}},
	{"again-new-keys", "The next record of {sender} opens, with its check against changes, as the first one under keys that came into use where bytes are missing.", []string{"5246 6.2.3", "8446 5.3"}},
	{"http2-after-gap", "The records open again, but HTTP/2 cannot be read on: its headers are compressed with the help of all headers before (HPACK), and some of these are missing. From here on only the size of the data is told.", []string{"7541 2.2", "9113 4.3"}},
	{"http1-after-gap", "The records open again, but where the message ends that was cut off by the missing bytes is not known. HTTP is read again from the next request on, if one begins a record.", []string{"9112 6.3"}},
	{"malformed", "What {sender} sent here breaks the protocol ({where}: {reason}). This direction is not read further.", nil},
	{"opaque", "Not read: {bytes} bytes from {sender}; {reason}.", nil},
	{"proof-refuted", "REFUTED: it does not hold that {claim}: {reason}.", nil},
	{"summary-sealed", "No keys for this connection are known here, so this is what everybody on the path sees of it: {seen}; and the other handshake messages that are not encrypted. {Rest} is sealed.", nil},
	{"summary-pass-through", "The proxy passed these bytes on without decrypting them: it made no certificate, and the two ends have one TLS connection between them. Whatever certificate the client was shown is that of whoever answered.", nil},
	{"summary-pass-through-certificate", "The proxy passed these bytes on without decrypting them: it made no certificate, and the two ends have one TLS connection between them. The certificate that the client was shown is for {names}, and names {issuer} as its issuer: it is that of whoever answered, the server itself or somebody between the proxy and it, such as a company's proxy or a virus scanner.", nil},
	{"summary-passed-on", "The proxy passed these bytes on as they came.", nil},
	{"summary-renegotiated", "This connection had {count} handshakes, one inside the other's encryption (renegotiation); the steps tell of the first.", []string{"5746 3"}},
	{"summary-null", "This suite does not encrypt: everybody on the path could read what was sent, and only changes would have been noticed.", []string{"5246 6.2.3.1"}},
	{"summary-early-rejected", "{Client} sent early data (0-RTT) and {server} rejected it: by the rules it is thrown away unread. {Client} may send it again after the handshake.", []string{"8446 4.2.10"}},
}

// messageSentences tell what a message is for.
var messageSentences = []entry{
	{"client-hello", "{Client} says hello: which versions and cipher suites it can speak, a random number, and the name of the host that it wants ({sni}). Everybody on the path can read this.", []string{"5246 7.4.1.2", "8446 4.1.2", "6066 3"}},
	{"client-hello-no-name", "{Client} says hello: which versions and cipher suites it can speak, and a random number. It names no host.", []string{"5246 7.4.1.2", "8446 4.1.2"}},
	{"client-hello-again", "{Client} says hello once more, after the server's HelloRetryRequest.", []string{"8446 4.1.2", "8446 4.1.4"}},
	{"client-hello-renegotiation", "{Client} begins another handshake inside the same connection (renegotiation).", []string{"5246 7.4.1.1", "5746 3"}},
	{"client-hello-again-unseen", "{Client} says hello once more with the same random number, as it does after a HelloRetryRequest; nothing of {server} is in the capture.", []string{"8446 4.1.2", "8446 4.1.4"}},
	{"client-hello-misplaced", "{Client} sends another hello, which has no place here: the handshake that it began before is not finished.", []string{"5246 7.4.1.2", "8446 4.1.2"}},
	{"client-hello-shares", "It already carries public keys, by the rules fresh ones: {shares}. If {server} agrees to TLS 1.3 and to one of them, step 5 has happened here, before step 3.", []string{"8446 4.2.8"}},
	{"client-hello-psk", "It names a secret that it shares with the server already (from an earlier connection, or agreed on otherwise), with a keyed checksum (binder) over this hello. Whether that checksum is right cannot be computed from key logs.", []string{"8446 4.2.11"}},
	{"client-hello-early", "It names a secret that it shares with the server already (from an earlier connection, or agreed on otherwise) and announces early data: encrypted data right behind this hello, before {server} has said a word.", []string{"8446 4.2.10", "8446 4.2.11"}},
	{"client-hello-ticket", "It hands back a ticket of {ticket} bytes from an earlier connection: if {server} takes it, steps 2 to 6a fall away.", []string{"5077 3.4"}},
	{"client-hello-ech", "It carries the extension for an encrypted hello (ECH). Whether that is real or random filling (GREASE) cannot be told without the keys; the name in clear may then be a cover.", []string{"9849 5", "9849 6.2"}},
	{"client-hello-textbook", "Textbook mode: of the suites offered here, {count} use RSA key transport, the textbook's way.", []string{"5246 7.4.7.1"}},

	{"server-hello", "{Server} chooses: {version} and {suite}, and adds its own random number.", []string{"5246 7.4.1.3", "8446 4.1.3"}},
	{"server-hello-unregistered", "WARNING: {suite} is not in the registry of cipher suites as known here; drafts and private numbers are not in it either.", []string{"5246 A.5", "8446 B.4"}},
	{"server-hello-rsa", "With this suite the client will encrypt a secret with the public key in the server's certificate, as the textbook tells it.", []string{"5246 7.4.7.1"}},
	{"server-hello-dhe", "With this suite no secret travels: each side makes a key pair for this connection, and both compute the same secret (ephemeral Diffie-Hellman).", []string{"5246 8.1.2", "8422 2"}},
	{"server-hello-resumed", "{Server} echoes the session id that {client} sent: it takes up an earlier session. No certificate and no key exchange follow.", []string{"5246 7.4.1.3", "5077 3.4"}},
	{"server-hello-perhaps-resumed", "{Client} handed in a ticket; whether {server} takes up that earlier session shows in its next message.", []string{"5077 3.4"}},
	{"server-hello-share", "It brings the server's {group} key: both sides can compute their keys now, and every handshake message after this one is encrypted.", []string{"8446 4.2.8", "8446 7.1"}},
	{"server-hello-mlkem", "It brings {servershare} bytes of {groupname}: in them {part}, encrypted with the client's key. The textbook's steps 4 to 6 are back, with the roles reversed.", []string{"10024", "8446 4.2.8"}},
	{"server-hello-psk-refused", "{Server} does not take the secret that {client} named: a whole handshake follows, as if it had not been named.", []string{"8446 4.2.11"}},
	{"server-hello-psk", "{Server} takes the secret that {client} named: no certificate will be sent; what speaks for {server} is that it knows that secret.", []string{"8446 2.2", "8446 4.2.11"}},
	{"hello-retry-group", "{Server} takes none of the keys that {client} sent and asks it to say hello again with one for {group}.", []string{"8446 4.1.4"}},
	{"hello-retry-cookie", "{Server} asks {client} to say hello again before it keeps anything about it.", []string{"8446 4.1.4", "8446 4.2.2"}},
	{"downgrade-sentinel", "The last eight bytes of the server's random number are not random: they say that {server} could speak a newer version than {version}. A client that offered one would know that somebody on the path had lowered it.", []string{"8446 4.1.3"}},
	{"downgrade-sentinel-ignored", "WARNING: the last eight bytes of the server's random number say that {server} could speak a newer version, and {client} had offered one, but {version} was chosen. Somebody on the path may have lowered the version; the client must stop here.", []string{"8446 4.1.3"}},
	{"extended-master-secret", "Both sides agree that the master secret depends on all messages up to the key exchange (extended master secret), so that it cannot belong to two connections at once.", []string{"7627 4", "7627 5.2"}},
	{"no-extended-master-secret", "The master secret will depend on the secret of the key exchange and the two random numbers, but not on the other messages (no extended master secret): an old weakness.", []string{"5246 8.1", "7627 1"}},

	{"encrypted-extensions-client", "{Client} sends such a message, too, before its Finished. TLS 1.3 itself knows it from the server alone.", []string{"8446 4.3.1"}},
	{"encrypted-extensions-alps", "It holds settings of the application protocol, sent inside the handshake, as the draft of the extension application_settings (ALPS) has it; both sides agreed on that.", nil},
	{"encrypted-extensions", "The first encrypted message: the server's other answers, which TLS 1.2 gave in clear.", []string{"8446 4.3.1"}},
	{"early-data-refused", "{Server} does not take the early data that {client} announced: what came of it is thrown away, and {client} has to send it again if it is to arrive.", []string{"8446 4.2.10"}},
	{"early-data-accepted", "{Server} accepts the early data that {client} sent before.", []string{"8446 4.2.10"}},
	{"certificate-compressed", "The certificate came compressed: {from} bytes in {to}. The checksums over the handshake cover the compressed form.", []string{"8879 4"}},
	{"certificate-compressed-broken", "The certificate came compressed and cannot be undone: {reason}.", []string{"8879 4"}},
	{"certificate-proves-nothing", "A certificate is public: whoever has seen it can send it. That {server} owns the private key to it must be shown by something else.", []string{"5246 F.1.1.2", "8446 4.4.3"}},
	{"certificate-minted", "It is the one that the proxy made for this session, for {names}, with a key of the proxy's.", nil},
	{"client-certificate", "{Client} shows a certificate of its own ({subject}): the textbook's step 3 the other way round.", []string{"5246 7.4.6", "8446 4.4.2"}},
	{"client-certificate-none", "{Client} was asked for a certificate and has none to show.", []string{"5246 7.4.6", "8446 4.4.2"}},
	{"certificate-empty", "{Server} sent an empty list of certificates, which is not allowed.", []string{"8446 4.4.2.4"}},
	{"server-key-exchange", "{Server} sends a public key for this connection and signs it, together with both random numbers, with the private key of its certificate: step 2 is shown here, not by the certificate.", []string{"5246 7.4.3", "8422 5.4"}},
	{"server-key-exchange-unproven", "{Server} sends a public key for this connection, with a signature over it and both random numbers. Only if that signature holds is step 2 shown.", []string{"5246 7.4.3", "8422 5.4"}},
	{"server-key-exchange-unsigned", "{Server} sends its part of the key exchange, unsigned.", []string{"5246 7.4.3", "4279 2"}},
	{"key-reused", "WARNING: this very public value was sent in connection {conn} already, so it is not fresh. In TLS 1.3 that is forbidden now.", []string{"9846 4.3.8"}},
	{"dhe-small", "WARNING: a Diffie-Hellman modulus of {bits} bits is too small for today.", []string{"7919 1", "10015 3"}},
	{"certificate-request", "{Server} wants a certificate of {client} too (mutual TLS).", []string{"5246 7.4.4", "8446 4.3.2"}},
	{"server-hello-done", "{Server} has said everything for now; it is the turn of {client}.", []string{"5246 7.4.5"}},
	{"hello-request", "{Server} asks for another handshake. In this version this message enters no checksum.", []string{"5246 7.4.1.1"}},
	{"certificate-verify", "{Server} signs the hash of everything said so far with the private key of its certificate: step 2 is shown here, not by the certificate.", []string{"8446 4.4.3"}},
	{"certificate-verify-unproven", "{Server} sends a signature over the hash of everything said so far. Only if it holds is step 2 shown.", []string{"8446 4.4.3"}},
	{"client-certificate-verify", "{Client} signs what was said so far with the private key of its own certificate.", []string{"5246 7.4.8", "8446 4.4.3"}},
	{"client-key-exchange-rsa", "{Client} sends the secret, encrypted with the public key in the certificate: the textbook's step 5.", []string{"5246 7.4.7.1"}},
	{"client-key-exchange-opened", "The private key that was given opens it: 48 bytes, from which all keys of this connection are derived. Anybody with that key can do this at any time, years later too.", []string{"5246 7.4.7.1", "5246 8.1"}},
	{"client-key-exchange-padding", "The private key that was given belongs to the certificate, but what {client} encrypted is not padded as it must be. A server then goes on with random bytes, so nothing can be opened with this key.", []string{"5246 7.4.7.1", "8017 7.2.2"}},
	{"client-key-exchange-dhe", "{Client} sends the public half of its own key pair for this connection, in clear. No secret travels.", []string{"5246 7.4.7.2", "8422 5.7"}},
	{"client-key-exchange-psk", "{Client} names the secret that both sides had before.", []string{"4279 2"}},
	{"client-key-exchange-psk-dhe", "{Client} names the secret that both sides had before, and sends the public half of its own key pair for this connection, in clear.", []string{"4279 3", "5489 2"}},
	{"client-key-exchange-rsa-psk", "{Client} names a secret that both sides had before, and sends another, encrypted with the public key in the certificate.", []string{"4279 4"}},
	{"client-key-exchange-other", "{Client} sends its part of the key exchange.", []string{"5246 7.4.7"}},
	{"finished-client", "The Finished of {client}: it fits only if both sides said and heard the same messages and have the same secret.", []string{"5246 7.4.9", "8446 4.4.4"}},
	{"finished-server", "The Finished of {server}: it fits only if both sides said and heard the same messages and have the same secret.", []string{"5246 7.4.9", "8446 4.4.4"}},
	{"new-session-ticket", "{Server} hands {client} a ticket, which only {server} needs to understand: typically it is the secret of this connection, encrypted with a key of its own. With it a later connection can skip steps 2 to 6a.", []string{"5077 3.3"}},
	{"new-session-ticket-13", "{Server} hands {client} a ticket: the name of a secret that both derive from this connection. With it a later connection can do without a certificate.", []string{"8446 4.6.1"}},
	{"end-of-early-data", "{Client} has sent all its early data; from here on it uses the keys of this handshake.", []string{"8446 4.5"}},
	{"certificate-status", "{Server} passes on a dated statement of the authority about whether its certificate was revoked (OCSP stapling): it helps step 4a.", []string{"6066 8"}},
	{"key-update", "{Sender} goes on with a new key, which is derived from the old one.", []string{"8446 4.6.3", "8446 7.2"}},
	{"next-protocol", "{Client} chooses the application protocol {protocol}, by an extension that never became a standard (NPN).", nil},
	{"unknown-handshake", "{Sender} sent a handshake message of type {number}, which is not known here.", nil},
	{"ccs-client", "From here on {client} encrypts, with a key of its own direction.", []string{"5246 7.1"}},
	{"ccs-server", "From here on {server} encrypts, with a key of its own direction.", []string{"5246 7.1", "5246 6.3"}},
	{"ccs-null", "From here on {sender} adds a keyed checksum to what it sends; this suite does not encrypt.", []string{"5246 7.1", "5246 6.2.3.1"}},
	{"ccs-unknown", "{Sender} says that it encrypts from here on. In TLS 1.2 that is so; in TLS 1.3 it means nothing and is sent for the sake of machines on the path. Which of the two this is cannot be told: the ServerHello is not in the capture.", []string{"5246 7.1", "8446 D.4"}},
	{"ccs-dummy", "It means nothing in TLS 1.3: it is sent so that machines on the path take this for TLS 1.2.", []string{"8446 5", "8446 D.4"}},
	{"lineage-session-id", "This connection takes up the session of {earlier}: the hello named its session id, and {server} went on without a certificate and a key exchange.", []string{"5246 7.3", "5246 F.1.4"}},
	{"lineage-ticket", "This connection takes up the session of {earlier}: {client} handed that ticket back, and {server} went on without a certificate and a key exchange.", []string{"5077 3.1", "5077 3.4"}},
	{"lineage-psk", "This connection takes up a secret of {earlier}: {client} named it by the ticket, and {server} accepted that. That the secret itself is the same is not shown: it is derived from one that is in no key log line.", []string{"8446 2.2", "8446 4.6.1"}},
	{"lineage-sealed", "Which connection that was cannot be told here: in TLS 1.3 tickets travel encrypted, and those of connection {conns}, to the same server, stayed sealed, if there were any.", []string{"8446 4.6.1"}},
	{"lineage-not-here", "Which connection that was cannot be told here: none in this capture was seen to be given that name for its secret.", nil},
	{"genealogy", "{count} in this capture took up the secret of an earlier one.", []string{"5246 F.1.4", "8446 2.2"}},
	{"genealogy-more", "{more} more are not listed.", nil},
	{"resumed", "The two connections share one master secret: this one took up the secret of {earlier}.", []string{"5246 7.3", "5246 F.1.4"}},
	{"data-client", "{Client} sends the first application data, before {server} has sent any. In the textbook the server is the first to encrypt data.", []string{"5246 10", "8446 5.2"}},
	{"data-client-after", "{Client} sends its first application data; {server} had sent some before.", []string{"5246 10", "8446 5.2"}},
	{"data-client-null", "{Client} sends data that this suite does not encrypt.", []string{"5246 6.2.3.1"}},
	{"data-server", "{Server} sends encrypted data.", []string{"5246 10", "8446 5.2"}},
	{"data-server-null", "{Server} sends data that this suite does not encrypt.", []string{"5246 6.2.3.1"}},
	{"early-data", "{Client} sends data in its first flight, encrypted with a key derived from the old secret alone: no protection for later if that secret is lost. Whoever records it can send it again, and the server may take it for new unless it guards against that.", []string{"8446 2.3", "8446 8"}},
	{"heartbeat", "{Sender} sends a heartbeat: claimed {claimed} bytes, {have} there.", []string{"6520 4"}},
	{"heartbleed", "WARNING: {sender} claims {claimed} bytes and sends {have}. A server with the fault Heartbleed (CVE-2014-0160) answers such a request with its own memory.", []string{"6520 4"}},
	{"sealed", "{Sender} sent {count}, {bytes} bytes, encrypted; {reason}.", []string{"8446 5.2", "5246 6.2.3"}},
	{"sealed-bad-tag", "WARNING: what {sender} sent here does not fit the key that is known for it. Either the key log belongs to something else, or somebody changed these bytes.", []string{"8446 5.2", "5246 6.2.3"}},
	{"sealed-early", "{Sender} sent early data in {count}, {bytes} bytes; {reason}.", []string{"8446 4.2.10"}},
	{"sealed-midstream", "{Sender} sent {count}, {bytes} bytes; the handshake that made its keys is not in the capture.", nil},
	{"sealed-finished", "An encrypted handshake message, {bytes} bytes; the first in its direction is Finished. It stays sealed: {reason}.", []string{"5246 7.4.9"}},
	{"sealed-alert", "An encrypted alert of {sender}; {reason}. At the end of a connection it mostly is close_notify.", []string{"5246 7.2"}},
	{"http-request", "The request of {client}, taken out of the records: the text that all of this protects.", []string{"9110 9"}},
	{"http-response", "The answer of {server}, taken out of the records.", []string{"9110 15"}},
	{"http-plain", "A request in clear: no TLS. None of the steps 2 to 8 happens, and everybody on the path can read and change what passes.", []string{"9110 4.2.1"}},
	{"http-page-asks-here", "WARNING: by its {field} field, a page of {page} asks for {host}, which is the proxy's own machine. What listens there sees the proxy as a program of its machine; a browser may have let the page ask because it does not see where a proxy sends a request. --on-local-request refuse has the proxy refuse it.", []string{"6454 7"}},
	{"http-page-asks-private", "WARNING: by its {field} field, a page of {page} asks for {host}, which is of a private network. What listens there sees the proxy as a machine of its network; a browser may have let the page ask because it does not see where a proxy sends a request. --on-local-request refuse has the proxy refuse it.", []string{"6454 7"}},
	{"http-page-asks-by-name-here", "WARNING: by its {field} field, a page of {page} asks for {host}, whose name led the proxy to {addr}, its own machine. What listens there sees the proxy as a program of its machine; a browser may have let the page ask because it does not see where a proxy sends a request. --on-local-request refuse has the proxy refuse it.", []string{"6454 7"}},
	{"http-page-asks-by-name-private", "WARNING: by its {field} field, a page of {page} asks for {host}, whose name led the proxy to {addr}, of a private network. What listens there sees the proxy as a machine of its network; a browser may have let the page ask because it does not see where a proxy sends a request. --on-local-request refuse has the proxy refuse it.", []string{"6454 7"}},
	{"http-hidden-page-asks-here", "WARNING: a page that its {field} field does not name asks for {host}, which is the proxy's own machine. What listens there sees the proxy as a program of its machine; a browser may have let the page ask because it does not see where a proxy sends a request. --on-local-request refuse has the proxy refuse it.", []string{"6454 7"}},
	{"http-hidden-page-asks-private", "WARNING: a page that its {field} field does not name asks for {host}, which is of a private network. What listens there sees the proxy as a machine of its network; a browser may have let the page ask because it does not see where a proxy sends a request. --on-local-request refuse has the proxy refuse it.", []string{"6454 7"}},
	{"http-hidden-page-asks-by-name-here", "WARNING: a page that its {field} field does not name asks for {host}, whose name led the proxy to {addr}, its own machine. What listens there sees the proxy as a program of its machine; a browser may have let the page ask because it does not see where a proxy sends a request. --on-local-request refuse has the proxy refuse it.", []string{"6454 7"}},
	{"http-hidden-page-asks-by-name-private", "WARNING: a page that its {field} field does not name asks for {host}, whose name led the proxy to {addr}, of a private network. What listens there sees the proxy as a machine of its network; a browser may have let the page ask because it does not see where a proxy sends a request. --on-local-request refuse has the proxy refuse it.", []string{"6454 7"}},
	{"http-name-moved", "WARNING: {host} led the proxy to {before} before, and now to {addr}, nearer to its own machine. So a page of {host} reaches what listens there, for a browser sees one and the same name (DNS rebinding); or the name has other addresses inside a network than outside. --on-local-request refuse has the proxy refuse it.", []string{"6454 4"}},
	{"http-after-417", "The request before was answered with 417 before its body had come, so {client} may ask again without its expectation, or still send that body. What came begins with a request line, and is read as a request; by its length alone it could be the body.", []string{"9110 10.1.1"}},
	{"http-connect", "{Client} asks the proxy for a tunnel to {target}. This request is in clear; what goes through the tunnel then can be TLS.", []string{"9110 9.3.6"}},
	{"http-connect-accepted", "The proxy says that the tunnel stands: what follows is between {client} and whoever is at its other end.", []string{"9110 9.3.6"}},
	{"http-connect-accepted-here", "The proxy says that the tunnel stands. From here on it answers in the place of {target}, unless the story says that it passes the bytes on.", []string{"9110 9.3.6"}},
	{"http-connect-refused", "The proxy did not open the tunnel (status {status}).", []string{"9110 9.3.6"}},
	{"http-hsts", "{Server} asks {client} to use https alone from now on (HSTS).", []string{"6797 6.1"}},
	{"http-hsts-off", "{Server} tells {client} to forget that it was to use https alone (HSTS with max-age 0).", []string{"6797 6.1.1"}},
	{"http-alt-svc", "{Server} offers to go on over HTTP/3 (QUIC, over UDP), which does not pass through an HTTP proxy.", []string{"7838 3"}},
	{"http-body-cut", "The end of this body is not in the capture, or was not opened.", []string{"9110 6.1"}},
	{"switched", "From here on the connection speaks {protocol}.", []string{"9110 7.8"}},
	{"switched-tunnel", "From here on the connection is a tunnel.", []string{"9110 9.3.6"}},
}

// certificateSentences tell what a certificate says.
var certificateSentences = []entry{
	{"certificate-words", "It says that {issuer} vouches for this: the {key} key in here belongs to {names}, from {from} until {until}.", []string{"5280 4.1.2"}},
	{"certificate-words-self", "It is signed with its own key: nobody else vouches that the {key} key in here belongs to {names}, from {from} until {until}.", []string{"5280 4.1.2"}},
	{"certificate-unreadable", "The certificate cannot be read: {reason}.", []string{"5280 4.1"}},
	{"certificate-name-good", "It is for the host that the hello names ({asked}).", []string{"9525 6", "9110 4.3.4"}},
	{"certificate-name-cover", "It is for {names}, not for {asked}, which the hello names in clear. Whether that is wrong is not known here: the hello carries an encrypted one (ECH), or random filling that looks like it, so the name in clear may be a cover for another one.", []string{"9849 5", "9849 6.1", "9849 6.2"}},
	{"certificate-name-unknown", "The hello names no host, so there is no name to compare with those of the certificate.", []string{"9525 6"}},
}

// factSentences tell what only the proxy knows.
var factSentences = []entry{
	{"fact-left-out-late", "The story leaves out {detail} bytes of the recording here: it could not keep up with the traffic, which does not wait for it. Of what they held nothing is told; connections that go on behind them are taken up again.", nil},
	{"fact-left-out-parts", "Left out here: part {detail} of the recording is not among the files that are read. Connections that go on behind it are taken up again.", nil},
	{"fact-left-out-damaged", "Left out here: part {detail} of the recording cannot be read to its end. Connections that go on behind it are taken up again.", nil},
	{"fact-recording", "The recording begins (explainer {detail}).", nil},
	{"fact-recording-textbook", "The recording begins (explainer {detail}), in textbook mode: towards the client the proxy speaks TLS 1.2 with RSA key transport, as the textbook tells it, except where it shows the client a case.", []string{"5246 7.4.7.1"}},
	{"fact-session", "Connections {conn} (client to proxy) and {peer} (proxy to origin) are one session, for {host}: what is one conversation in the textbook is two here.", nil},
	{"fact-session-alone", "A session for {host}; the proxy opened no connection to an origin for it.", nil},
	{"fact-plain-http", "Connections {conn} and {peer} carry plain HTTP requests for {host}.", nil},
	{"fact-pass-through", "The proxy passes this on without decrypting it, as asked for with {detail}.", nil},
	{"fact-observed", "The proxy passes this on as it comes, byte for byte, and opens nothing itself: what opens it are the keys that the program writes, as far as it writes any.", []string{"9850 1"}},
	{"fact-opaque-not-tls", "The proxy passes this on as it is: what the client sent in the tunnel is not TLS.", nil},
	{"fact-opaque-server-first", "The proxy passes this on as it is: the client said nothing in the tunnel, and the server spoke first, so this does not begin as TLS does.", []string{"8446 2"}},
	{"fact-opaque-hello", "The proxy passes this on as it is: it does not take this ClientHello itself ({detail}), and what another server makes of it is for that server to say.", nil},
	{"fact-opaque-hello-dot", "The proxy passes this on as it is: the server name in the ClientHello ends in a dot, which it may not. The proxy itself does not take that; servers differ in what they make of it.", []string{"6066 3"}},
	{"fact-opaque-client-silent", "The proxy passes this on as it is: the client said nothing in the tunnel, so the server may be meant to speak first.", nil},
	{"fact-dial-refused", "The proxy did not reach {host}: {addr} refused the connection.", nil},
	{"fact-dial-timeout", "The proxy did not reach {host}: {addr} did not answer in time.", nil},
	{"fact-dial-unreachable", "The proxy did not reach {host}: there is no way to {addr}.", nil},
	{"fact-dial-loop", "The proxy did not connect to {host}: that is the proxy itself.", nil},
	{"fact-dial-near-name", "The proxy did not connect to {host}: the name led it to {addr}, of its own machine or private network, and by --on-local-request refuse no name may lead there that could be a web page's own (DNS rebinding).", nil},
	{"fact-dial-canceled", "The proxy gave up connecting to {host}: the client had hung up.", nil},
	{"fact-dial-other", "The proxy did not reach {host}: {detail}.", nil},
	{"fact-lookup-failed", "The proxy found no address for the name {host}: {detail}.", nil},
	{"fact-tls-failed", "The handshake between the proxy and the origin failed: {detail}.", nil},
	{"fact-tls-refused", "The handshake between the proxy and the origin failed: the origin answered the proxy's ClientHello with the alert {detail}.", []string{"5246 7.2.2", "8446 6.2"}},
	{"fact-tls-old-version", "The handshake between the proxy and the origin failed: the origin chose {detail}, which the proxy does not speak.", []string{"8446 4.1.3", "8996 1"}},
	{"fact-tls-closed", "The handshake between the proxy and the origin failed: the origin ended the connection without a word when it had got the proxy's ClientHello.", nil},
	{"fact-tls-not-tls", "The handshake between the proxy and the origin failed: what the origin answered to the proxy's ClientHello is no TLS.", []string{"8446 5.1"}},
	{"fact-tls-client-cert", "The handshake between the proxy and the origin failed: the origin asked for a certificate of its client, the proxy had none to show, and the origin broke off ({detail}). With --client-cert the proxy shows one; the client's own it cannot use, for that takes its private key.", []string{"5246 7.4.4", "8446 4.3.2"}},
	{"fact-tls-judged", "The handshake between the proxy and the origin failed after the proxy had judged the origin's certificate: {detail}.", nil},
	{"fact-replayed-foreign", "The client offers what the proxy cannot: {lacking}. So the proxy sent the client's own ClientHello, byte for byte, on a new connection to {host}. The origin answered it and chose: {detail}. Of this the proxy cannot: {foreign}.", []string{"5246 7.4.1.3", "8446 4.1.3"}},
	{"fact-replayed-alike", "The client offers what the proxy cannot: {lacking}. So the proxy sent the client's own ClientHello, byte for byte, on a new connection to {host}. The origin answered it and chose: {detail}. The proxy could have spoken that, too; what the origin did not take in its own hello does not show.", []string{"5246 7.4.1.3", "8446 4.1.3"}},
	{"fact-replayed-refused", "The client offers what the proxy cannot: {lacking}. So the proxy sent the client's own ClientHello, byte for byte, on a new connection to {host}. The origin refused it as well, with the alert {detail}.", []string{"5246 7.2.2", "8446 6.2"}},
	{"fact-replayed-closed", "The client offers what the proxy cannot: {lacking}. So the proxy sent the client's own ClientHello, byte for byte, on a new connection to {host}. The origin did not answer it either, and ended the connection.", nil},
	{"fact-replayed-failed", "The client offers what the proxy cannot: {lacking}. So the proxy sent the client's own ClientHello, byte for byte, on a new connection to {host}. What the origin makes of it was not seen.", nil},
	{"fact-replayed-tunnelled", "From here on the proxy passes the client's bytes on as they are, as asked for with --on-unsupported tunnel, and opens none.", nil},
	{"fact-origin-ok", "The proxy checked the origin's certificate (step 4a on the origin's leg): the name {host}, the dates, and the chain against {roots}. It is good.", []string{"5280 6", "9525 6"}},
	{"fact-origin-unasked", "The proxy checked the origin's certificate (step 4a on the origin's leg): the name {host}, the dates, and the chain against {roots}. These are good; of what is stapled to it the proxy found: {finding}. This client did not ask for a stapled OCSP response, so that it would have seen nothing of this without the proxy either. The proxy goes on.", []string{"5280 6", "6066 8"}},
	{"fact-origin-bad", "WARNING: the proxy checked the origin's certificate (step 4a on the origin's leg) against {roots} and found: {finding}.", []string{"5280 6", "9525 6"}},
	{"fact-name", "The client asked the proxy for {addr} but names {host} in its hello; the name in the hello counts.", []string{"6066 3"}},
	{"fact-name-none", "The client's hello names no server (no SNI), so the proxy's names none either; the origin's certificate is checked for {addr}, which the proxy was asked for.", []string{"6066 3"}},
	{"fact-origin-mirrored", "WARNING: the proxy checked the origin's certificate (step 4a on the origin's leg) against {roots} and found: {finding}. It shows the client an equally bad certificate, and its own handshake with the origin waits for what the client makes of that.", []string{"5280 6", "9525 6"}},
	{"fact-origin-blocked", "WARNING: the proxy checked the origin's certificate (step 4a on the origin's leg) against {roots} and found: {finding}. It broke off, and answers in the origin's place.", []string{"5280 6", "9525 6"}},
	{"fact-origin-blocked-unmirrored", "WARNING: the proxy checked the origin's certificate (step 4a on the origin's leg) against {roots} and found: {finding}. It broke off, and answers in the origin's place; an equally bad certificate for the client cannot be made here, because of this: {which}.", []string{"5280 6", "9525 6"}},
	{"fact-origin-remedy", "If you trust {missing}, --origin-ca FILE adds it to the roots of the proxy; its certificate must be in FILE.", nil},
	{"fact-went-on", "The client finished its handshake although the certificate that it was shown is as bad as the origin's. Only now does the proxy go on with the origin, without a good certificate, as the client has done; nothing of a request was sent to the origin before.", []string{"5246 7.4.9", "8446 4.4.4"}},
	{"fact-leaf-mirrored", "The proxy made a certificate with the subject, names, dates and extensions of the origin's, for {names}, and signed it with its own CA. It is as bad as the origin's: {faults}.", nil},
	{"fact-leaf-mirrored-self-signed", "The proxy made a certificate with the subject, names, dates and extensions of the origin's, for {names}. It is as bad as the origin's, and nobody but itself vouches for it: {faults}.", nil},
	{"fact-leaf-mirrored-unknown-ca", "The proxy made a certificate with the subject, names, dates and extensions of the origin's, for {names}, and signed it with a CA that is made for this, lives in memory alone and is trusted by nobody. It is as bad as the origin's: {faults}.", nil},
	{"fact-leaf", "The proxy made a certificate for {names} and signed it with its own CA. A client that checks accepts it only if it trusts this CA.", nil},
	{"fact-leaf-key-textbook", "Its key is not like that of the origin's certificate: textbook mode needs an RSA key.", nil},
	{"fact-leaf-key-client", "Its key is not like that of the origin's certificate: by its hello, the client can take none of that kind.", []string{"8446 4.2.3"}},
	{"fact-leaf-key-length", "Its RSA key is shorter than that of the origin's certificate: the proxy makes none of more than 4096 bits, and between 2048 and that only such of 3072.", nil},
	{"fact-leaf-stapled", "An OCSP response comes with it, which the proxy made, for the origin's is about the origin's certificate: it has that one's status, reason and times, or is as wrong as that one.", []string{"6066 8", "6960 4.2.1"}},
	{"fact-em", "The proxy opened what the client sent in step 5 with the private key of its certificate, and recorded the whole padded block of {size} bytes: with it anybody who has the recording can check step 5, using the public key alone.", []string{"8017 7.2", "5246 7.4.7.1"}},
	{"fact-em-bad", "WARNING: the proxy opened what the client sent in step 5, and its padding is wrong. The proxy goes on as if nothing had happened, with random bytes, as the RFC demands: an attacker must not learn which guess was right.", []string{"5246 7.4.7.1"}},
	{"fact-own-answer", "The proxy answers itself on this connection: {detail}.", nil},
	{"fact-own-error-page", "The proxy answers itself, with a page that says what went wrong: {detail}.", nil},
	{"fact-own-set-up-page", "The proxy answers itself, with its set-up page.", nil},
	{"fact-own-not-a-proxy-request", "This request is not meant for a proxy: it asks the proxy itself for a page.", []string{"9112 3.2"}},
	{"fact-own-built-in", "This site is built into the proxy, which answers itself: {detail}.", nil},
	{"fact-refused", "The proxy stops the handshake: {reason}.", nil},
	{"fact-closed-client", "The client ended the connection first.", nil},
	{"fact-closed-client-first", "The browser's side ended the session first.", nil},
	{"fact-closed-origin", "The origin ended the connection first.", nil},
	{"fact-closed-proxy-shutdown", "The proxy ended the connection: it was told to stop.", nil},
	{"fact-closed-proxy", "The proxy ended the connection.", nil},
	{"fact-closed-proxy-because", "The proxy ended the connection: {detail}.", nil},
	{"fact-closed-timeout", "The proxy ended the connection: nothing had come for too long ({detail}).", nil},
	{"fact-closed-error", "The connection ended with an error: {detail}.", nil},
	{"fact-closed-other", "The connection ended: {detail}.", nil},
	{"fact-unknown", "The proxy noted something that is not known here ({kind}): {detail}.", nil},
}

// alertSentences tell alerts: "who sent which: what it means." What stands after
// the colon is used alone where the sender is named already.
var alertSentences = []entry{
	{"alert-close-notify", "{Sender} sent {alert} ({number}), which says: it has sent everything.", []string{"5246 7.2.1", "8446 6.1"}},
	{"alert-close-proven", "It was protected as all records are, so nobody else can have sent it. Only this shows that nothing is missing at the end.", []string{"5246 7.2.1", "8446 6.1"}},
	{"alert-bad-record-mac", "{Sender} sent {alert} ({number}), which says: a record did not fit its key, so either bytes were changed or the two sides do not have the same keys.", []string{"5246 7.2.2", "8446 6.2"}},
	{"alert-handshake-failure-chosen", "{Sender} sent {alert} ({number}), which says: it will not go on with this handshake. It had itself chosen version and cipher suite before, so it is something that came later.", []string{"5246 7.2.2", "8446 6.2"}},
	{"alert-handshake-failure-answered", "{Sender} sent {alert} ({number}), which says: it will not go on with this handshake, as the other side chose it, or will not say what it disliked.", []string{"5246 7.2.2", "8446 6.2"}},
	{"alert-handshake-failure", "{Sender} sent {alert} ({number}), which says: it found nothing among the offered versions, suites and groups that it also speaks, or will not say what it disliked.", []string{"5246 7.2.2", "8446 6.2"}},
	{"alert-bad-certificate", "{Sender} sent {alert} ({number}), which says: something is wrong with the certificate (some programs send this for every fault, also for an unknown authority or a wrong name).", []string{"5246 7.2.2", "8446 6.2"}},
	{"alert-unsupported-certificate", "{Sender} sent {alert} ({number}), which says: the certificate is of a kind or for a purpose that it does not take.", []string{"5246 7.2.2", "8446 6.2"}},
	{"alert-certificate-revoked", "{Sender} sent {alert} ({number}), which says: the authority has called the certificate back.", []string{"5246 7.2.2", "8446 6.2"}},
	{"alert-certificate-expired", "{Sender} sent {alert} ({number}), which says: the certificate has expired or is not valid yet.", []string{"5246 7.2.2", "8446 6.2"}},
	{"alert-certificate-unknown", "{Sender} sent {alert} ({number}), which says: it did not accept the certificate, for a reason that it does not say (Chromium sends this for every fault).", []string{"5246 7.2.2", "8446 6.2"}},
	{"alert-unknown-ca", "{Sender} sent {alert} ({number}), which says: it trusts no authority that vouches for this certificate.", []string{"5246 7.2.2", "8446 6.2"}},
	{"alert-access-denied", "{Sender} sent {alert} ({number}), which says: the certificate or the common secret is valid, but its owner is not let in.", []string{"5246 7.2.2", "8446 6.2"}},
	{"alert-decrypt-error", "{Sender} sent {alert} ({number}), which says: a signature, a Finished or a binder did not come out right.", []string{"5246 7.2.2", "8446 6.2"}},
	{"alert-decode-error", "{Sender} sent {alert} ({number}), which says: it could not read a message.", []string{"5246 7.2.2", "8446 6.2"}},
	{"alert-illegal-parameter", "{Sender} sent {alert} ({number}), which says: a value in a message is not allowed there.", []string{"5246 7.2.2", "8446 6.2"}},
	{"alert-unexpected-message", "{Sender} sent {alert} ({number}), which says: a message came that has no place here.", []string{"5246 7.2.2", "8446 6.2"}},
	{"alert-protocol-version", "{Sender} sent {alert} ({number}), which says: it does not speak a version that was offered.", []string{"5246 7.2.2", "8446 6.2"}},
	{"alert-insufficient-security", "{Sender} sent {alert} ({number}), which says: what was offered is too weak for it.", []string{"5246 7.2.2", "8446 6.2"}},
	{"alert-internal-error", "{Sender} sent {alert} ({number}), which says: something failed inside it (some programs send this when they do not like a certificate).", []string{"5246 7.2.2", "8446 6.2"}},
	{"alert-inappropriate-fallback", "{Sender} sent {alert} ({number}), which says: the client tried again with a lower version although both could do better; somebody may have disturbed the first try.", []string{"7507 3"}},
	{"alert-user-canceled", "{Sender} sent {alert} ({number}), which says: somebody broke this off, not a fault of the protocol.", []string{"5246 7.2.2", "8446 6.1"}},
	{"alert-no-renegotiation", "{Sender} sent {alert} ({number}), which says: it will not begin another handshake on this connection.", []string{"5246 7.2.2"}},
	{"alert-missing-extension", "{Sender} sent {alert} ({number}), which says: an extension that must be there is missing.", []string{"8446 6.2"}},
	{"alert-unsupported-extension", "{Sender} sent {alert} ({number}), which says: an extension came that nobody had offered.", []string{"5246 7.2.2", "8446 6.2"}},
	{"alert-unrecognized-name", "{Sender} sent {alert} ({number}), which says: it has no site of the name that the client asked for.", []string{"6066 3"}},
	{"alert-bad-certificate-status-response", "{Sender} sent {alert} ({number}), which says: the statement about revocation that came with the certificate is not good.", []string{"6066 8"}},
	{"alert-unknown-psk-identity", "{Sender} sent {alert} ({number}), which says: it does not know the common secret that was named.", []string{"4279 2", "8446 6.2"}},
	{"alert-certificate-required", "{Sender} sent {alert} ({number}), which says: it wants a certificate of the client, and none came.", []string{"8446 6.2"}},
	{"alert-no-application-protocol", "{Sender} sent {alert} ({number}), which says: it speaks none of the application protocols that were offered.", []string{"7301 3.2"}},
	{"alert-record-overflow", "{Sender} sent {alert} ({number}), which says: a record was too long.", []string{"5246 7.2.2", "8446 6.2"}},
	{"alert-no-certificate", "{Sender} sent {alert} ({number}), which says: it has no certificate of its own to show.", []string{"6101 5.4.2"}},
	{"alert-general-error", "{Sender} sent {alert} ({number}), which says: something went wrong that no other alert is for.", []string{"9846 6.2"}},
	{"alert-ech-required", "{Sender} sent {alert} ({number}), which says: it wants its encrypted hello (ECH) accepted, and the server did not accept it.", []string{"9849 6.1.6"}},
	{"alert-other", "{Sender} sent {alert} ({number}): an alert whose meaning is not told here.", []string{"5246 7.2.2", "8446 6.2"}},
}

// alertSentence finds the sentence of an alert that a side sent in a handshake.
func (h *hands) alertSentence(description uint8, side int) string {
	switch {
	case description != 40 || h.sh == nil:
	case side == 1:
		return "alert-handshake-failure-chosen"
	default:
		return "alert-handshake-failure-answered"
	}
	switch description {
	case 0:
		return "alert-close-notify"
	case 10:
		return "alert-unexpected-message"
	case 20, 21:
		return "alert-bad-record-mac"
	case 22:
		return "alert-record-overflow"
	case 40:
		return "alert-handshake-failure"
	case 41:
		return "alert-no-certificate"
	case 42:
		return "alert-bad-certificate"
	case 43:
		return "alert-unsupported-certificate"
	case 44:
		return "alert-certificate-revoked"
	case 45:
		return "alert-certificate-expired"
	case 46:
		return "alert-certificate-unknown"
	case 47:
		return "alert-illegal-parameter"
	case 48:
		return "alert-unknown-ca"
	case 49:
		return "alert-access-denied"
	case 50:
		return "alert-decode-error"
	case 51:
		return "alert-decrypt-error"
	case 70:
		return "alert-protocol-version"
	case 71:
		return "alert-insufficient-security"
	case 80:
		return "alert-internal-error"
	case 86:
		return "alert-inappropriate-fallback"
	case 90:
		return "alert-user-canceled"
	case 100:
		return "alert-no-renegotiation"
	case 109:
		return "alert-missing-extension"
	case 110:
		return "alert-unsupported-extension"
	case 112:
		return "alert-unrecognized-name"
	case 113:
		return "alert-bad-certificate-status-response"
	case 115:
		return "alert-unknown-psk-identity"
	case 116:
		return "alert-certificate-required"
	case 117:
		return "alert-general-error"
	case 121:
		return "alert-ech-required"
	case 120:
		return "alert-no-application-protocol"
	}
	return "alert-other"
}
