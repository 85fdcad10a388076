package proxy

import (
	"crypto/x509"
	"strings"
	"testing"
)

// TestFailurePageSaysCertificate: a certificate with a fault that has no page of its
// own is not told as a connection that could not be made.
func TestFailurePageSaysCertificate(t *testing.T) {
	certificate := failurePage(&originError{Host: "shop.test", ID: "other", Certs: []*x509.Certificate{{}}})
	connection := failurePage(&originError{Host: "shop.test", ID: "other"})
	if !strings.Contains(certificate.Title, "certificate") || !strings.Contains(certificate.Advice, "sent no byte") {
		t.Errorf("%+v", certificate)
	}
	if !strings.Contains(connection.Title, "No connection") {
		t.Errorf("%+v", connection)
	}
}
