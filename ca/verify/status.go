package verify

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"encoding/binary"
	"errors"
	"math/big"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/ocsp"
)

// checkStaple checks the stapled OCSP response, and whether there had to be one
// (RFC 7633). It returns the SCTs that the response carries.
func (v *checker) checkStaple(leaf, issuer *cert) (out []Check, scts []byte) {
	must := ""
	if leaf.mustStaple {
		must = "yes"
	}
	check := func(o Outcome, reason string, pairs ...string) {
		out = append(out, Check{ID: IDStaple, Cert: 1, Outcome: o, Reason: reason, Details: details(append(pairs, "must", must)...)})
	}
	// It demands a response; one that does not hold is none (RFC 7633 4.2.3.1).
	unmet := func() {
		if leaf.mustStaple {
			check(Failed, "must-staple-unmet")
		}
	}
	if len(v.Staple) == 0 {
		switch {
		case v.Stapling == StapleLater:
			check(NotChecked, "staple-later")
		case leaf.mustStaple && v.Stapling == StapleAsked:
			check(Failed, "must-staple-missing")
		case v.Stapling == StapleNotAsked:
			check(NotChecked, "staple-not-asked")
		default:
			check(NotChecked, "no-staple")
		}
		return out, nil
	}
	if len(v.Staple) > maxBytes || leaf.serial == nil {
		check(Failed, "staple-unreadable", "fault", "too long, or for a certificate that cannot be read")
		unmet()
		return out, nil
	}
	// The library compares the serial number alone; the issuer is held by the signature.
	serial := new(big.Int).SetBytes(leaf.serial)
	r, err := ocsp.ParseResponseForCert(v.Staple, &x509.Certificate{SerialNumber: serial}, nil)
	if err != nil {
		var refused ocsp.ResponseError
		switch {
		case errors.As(err, &refused):
			check(Warned, "staple-refused", "answer", refused.Status.String())
		case strings.Contains(err.Error(), "no response matching"):
			check(Failed, "staple-other-certificate")
		default:
			check(Failed, "staple-unreadable", "fault", err.Error())
		}
		unmet()
		return out, nil
	}
	for _, e := range r.Extensions {
		if e.Id.String() == "1.3.6.1.4.1.11129.2.4.5" { // RFC 6962 3.3
			var list []byte
			if rest, err := asn1.Unmarshal(e.Value, &list); err == nil && len(rest) == 0 {
				scts = list
			}
		}
	}
	pairs := []string{"status", [...]string{"good", "revoked", "unknown"}[min(r.Status, 2)], "made", stamp(r.ProducedAt), "from", stamp(r.ThisUpdate)}
	if !r.NextUpdate.IsZero() {
		pairs = append(pairs, "until", stamp(r.NextUpdate))
	}
	if r.Status == ocsp.Revoked {
		pairs = append(pairs, "revoked", stamp(r.RevokedAt), "why", revocationReason(r.RevocationReason))
	}
	why := v.stapleSigner(r, issuer)
	switch {
	case errors.Is(why, errBadSignature):
		check(Failed, "staple-bad-signature", pairs...)
		unmet()
		return out, scts
	case why != nil && issuer != nil:
		check(Failed, "staple-signer", append(pairs, "fault", why.Error())...)
		unmet()
		return out, scts
	}
	switch {
	case why != nil:
		check(NotChecked, "staple-no-issuer", pairs...)
	case r.Status == ocsp.Revoked:
		check(Failed, "staple-revoked", pairs...)
	case r.Status != ocsp.Good:
		check(Warned, "staple-unknown", pairs...)
	}
	switch {
	case v.before(r.ThisUpdate.UTC().Truncate(time.Second)):
		check(Warned, "staple-not-yet", pairs...)
		unmet()
	case !r.NextUpdate.IsZero() && v.after(r.NextUpdate.UTC()):
		check(Warned, "staple-old", pairs...)
		unmet()
	case len(out) == 0:
		check(OK, "", pairs...)
	}
	return out, scts
}

// stapleSigner checks who signed the response: the certificate's issuer, or
// somebody to whom the issuer gave this right (RFC 6960 4.2.2.2).
func (v *checker) stapleSigner(r *ocsp.Response, issuer *cert) error {
	if issuer == nil || issuer.pub == nil {
		return errors.New("the issuer's key is not known")
	}
	own := r.Certificate == nil || bytes.Equal(r.Certificate.Raw, issuer.der)
	if own {
		holder := &x509.Certificate{PublicKey: issuer.pub}
		if err := r.CheckSignatureFrom(holder); err != nil {
			return errBadSignature
		}
		return nil
	}
	// That the embedded certificate's key signed the response was checked by the parser.
	signer := read(r.Certificate.Raw)
	if err := signer.signedBy(issuer.pub); err != nil {
		return errors.New("the signer's certificate was not signed by the issuer")
	}
	switch {
	case !bytes.Equal(signer.issuer, issuer.subject):
		return errors.New("the signer's certificate is of another issuer")
	case !slices.Contains(signer.purposes, oidOCSPSigning):
		return errors.New("the signer's certificate is not for signing OCSP")
	case v.before(signer.from) || v.after(signer.until):
		return errors.New("the signer's certificate is not valid at this time")
	}
	return nil
}

func revocationReason(n int) string {
	names := map[int]string{1: "key compromise", 2: "CA compromise", 3: "affiliation changed", 4: "superseded", 5: "cessation of operation", 6: "certificate hold", 9: "privilege withdrawn", 10: "AA compromise"}
	return or(names[n], "no reason given")
}

// An SCT is a signed certificate timestamp (RFC 6962 3.2): a log's promise to list a certificate.
type SCT struct {
	Version   int
	Log       [32]byte // SHA-256 of the log's key
	Time      time.Time
	Signature []byte // DigitallySigned
}

// ParseSCT reads one SerializedSCT.
func ParseSCT(b []byte) (SCT, bool) {
	var out SCT
	s := cryptobyte.String(b)
	var version uint8
	var log, at []byte
	var ext cryptobyte.String
	if !s.ReadUint8(&version) {
		return out, false
	}
	out.Version = int(version) + 1
	if version != 0 || !s.ReadBytes(&log, 32) || !s.ReadBytes(&at, 8) || !s.ReadUint16LengthPrefixed(&ext) || len(s) < 4 {
		return out, false
	}
	copy(out.Log[:], log)
	ms := binary.BigEndian.Uint64(at)
	if ms > 1<<47 { // far beyond the year 6000
		return out, false
	}
	out.Time = time.UnixMilli(int64(ms)).UTC()
	out.Signature = s
	return out, true
}

// ParseSCTList splits a SignedCertificateTimestampList (RFC 6962 3.3).
func ParseSCTList(b []byte) ([][]byte, bool) {
	s := cryptobyte.String(b)
	var list cryptobyte.String
	if !s.ReadUint16LengthPrefixed(&list) || !s.Empty() {
		return nil, false
	}
	var out [][]byte
	for !list.Empty() {
		var one cryptobyte.String
		if !list.ReadUint16LengthPrefixed(&one) {
			return out, false
		}
		out = append(out, one)
	}
	return out, true
}

// CertificateSCTs returns the timestamps that a certificate carries itself.
func CertificateSCTs(der []byte) [][]byte {
	list, _ := ParseSCTList(read(der).scts)
	return list
}

// checkSCTs lists the timestamps of all three ways (RFC 6962 3.3). Their
// signatures are not checked: that needs the logs' keys.
func (v *checker) checkSCTs(leaf *cert, stapled []byte) Check {
	out := Check{ID: IDSCT, Cert: 1, Outcome: NotChecked}
	inside, _ := ParseSCTList(leaf.scts)
	inStaple, _ := ParseSCTList(stapled)
	n, bad := 0, 0
	var late bool
	var list []Detail
	for _, way := range []struct {
		name string
		scts [][]byte
	}{{"certificate", inside}, {"handshake", v.SCTs}, {"staple", inStaple}} {
		for _, b := range way.scts {
			if n++; n > 64 {
				break
			}
			sct, ok := ParseSCT(b)
			if !ok {
				bad++
				continue
			}
			late = late || v.before(sct.Time.Truncate(time.Second))
			if len(list) < 16 {
				list = append(list, Detail{"log", hexOf(sct.Log[:]) + " at " + stamp(sct.Time) + ", in the " + way.name})
			}
		}
	}
	switch {
	case n == 0:
		out.Reason = "no-sct"
		return out
	case bad > 0:
		out.Outcome, out.Reason = Warned, "sct-unreadable"
	case late:
		out.Outcome, out.Reason = Warned, "sct-from-the-future"
	default:
		out.Reason = "sct-signatures-not-checked"
	}
	out.Details = append(details("count", number(n), "unreadable", map[bool]string{true: number(bad)}[bad > 0]), list...)
	return out
}
