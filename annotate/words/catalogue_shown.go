package words

// shownSentences tell the connections on which the proxy itself is the server and
// shows the client a case: a control, with which nothing is wrong, or a fault.
// {wrong} and {check} are sentences of the table of faults, without the full stop.
var shownSentences = []entry{
	{"fact-case", "The proxy itself answers this connection, and calls no origin: it shows the client the case {case}. {wrong}. The check that catches it belongs to step {step}: {check}.", nil},
	{"fact-case-control", "The proxy itself answers this connection, and calls no origin: it shows the client the control {case}. {wrong}.", nil},
	{"fact-case-unknown", "The proxy itself answers this connection, and calls no origin: it shows the client the case {case}, which is none that is known here.", nil},

	{"step-2-refused-finished", "{Client} did not accept the Finished of {server}, the checksum over the whole handshake, and recomputed here it does not come out right either: {cause}.", []string{"5246 7.4.9", "8446 4.4.4"}},
	{"step-2-case-refused", "{Client} stopped: {cause}. The case {case} gives it a reason: {wrong}. {check}.", []string{"5246 7.2.2", "8446 6.2"}},
	{"step-2-case-silent", "{Client} hung up without a word: no alert, no data, and its part of the handshake was not over. The case {case} gives it a reason: {wrong}. {check}.", []string{"5246 7.2.2"}},

	{"step-4a-case-accepted", "{Client} accepted the certificate of the case {case}, and sent data. {wrong}. A client that checks stops here: {check}. Whether this one did not check, or went on in spite of it, cannot be seen.", []string{"5280 6", "9525 6"}},
	{"step-4a-case-accepted-low", "{Client} accepted the certificate of the case {case}, and sent data, as many clients do. {wrong}. {check}.", []string{"5280 6", "9525 6"}},
	{"step-4a-case-control", "{Client} accepted the certificate of the control {case}, and sent data. Nothing is wrong with it. A client that checks accepts it only because it trusts the proxy's CA, or because somebody told it to go on; one that does not check accepts it too. Which of these it is cannot be seen here.", []string{"5280 6", "9525 6"}},
	{"step-4a-case-elsewhere", "{Client} accepted the certificate, and sent data. Nothing is wrong with the certificate itself; what is wrong in the case {case} is this: {wrong}.", []string{"5280 6", "9525 6"}},
	{"step-4a-case-finished", "{Client} finished the handshake and then sent no data. A client that checks late and refuses looks like this, and the case {case} gives it a reason: {wrong}. A spare connection that was never needed looks the same.", []string{"5280 6"}},
	{"step-4a-case-finished-control", "{Client} finished the handshake and then sent no data. Nothing is wrong with the certificate of the control {case}: a client that does not trust the proxy's CA and checks late looks like this, and so does a spare connection that was never needed.", []string{"5280 6"}},
	{"step-4a-case-refused", "{Client} refused the certificate of the case {case}: {cause}. {wrong}. {check}.", []string{"5246 7.2.2", "8446 6.2"}},
	{"step-4a-case-perhaps", "{Client} broke off after the certificate of the case {case}, perhaps because of it: {cause}. {wrong}. {check}.", []string{"5246 7.2.2", "8446 6.2"}},
	{"step-4a-case-refused-control", "{Client} refused the certificate of the control {case}, with which nothing is wrong: {cause}. Most likely it does not trust the proxy's CA: install it (http://explainer.test/, opened through the proxy, shows how).", []string{"5246 7.2.2", "8446 6.2"}},
	{"step-4a-case-silent", "{Client} hung up after the certificate of the case {case} without a word: no alert, no data, and its part of the handshake was not over. {wrong}. That may be why; some programs do not say.", []string{"5246 7.2.2"}},

	{"shown-accepted", "So this client accepted the case {case} ({severity}): it sent {count} of data to a server that it should have turned away. {needs}.", nil},
	{"shown-accepted-low", "So this client accepted the case {case}: it sent {count} of data. Many clients do; by itself this is no attack.", nil},
	{"shown-accepted-control", "So this client accepted the control {case}: it sent {count} of data, as it should. Only beside a control that was accepted does it mean something that a fault is refused.", nil},
	{"shown-refused", "So this client refused the case {case}, {moment}: {cause}. That the fault was its reason shows only if the same client accepts the control {control}.", nil},
	{"shown-refused-data", "So this client refused the case {case}, {moment}: {cause}. Before that it had sent {count} of data.", nil},
	{"shown-refused-control", "So this client refused the control {case}, with which nothing is wrong, {moment}: {cause}. What it refuses of the faults then says nothing: most likely it does not trust the proxy's CA.", nil},
	{"shown-no-downgrade", "The client offered no TLS 1.3, so there was nothing that it could have been downgraded from: what it did says nothing about the case {case}.", []string{"8446 4.1.3"}},
	{"shown-left", "So this client sent no data to the case {case}, and did not say why it left, {moment}: it may have refused, or have needed nothing.", nil},
	{"shown-blocked", "So this client was not shown the case {case}: before any certificate, {cause}. What it does with the fault is not seen.", nil},
	{"shown-unknown", "How this client took the case {case} does not show in this capture.", nil},
}
