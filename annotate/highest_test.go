package annotate

import "testing"

func TestHighest(t *testing.T) {
	for want, versions := range map[string][]uint16{
		"up to TLS 1.3 (draft 16)": {0x7f10, 0x0303, 0x0302},
		"up to TLS 1.3 (draft 28)": {0x7f17, 0x7f1c, 0x0303},
		"up to TLS 1.3":            {0x7f1c, 0x0304, 0x0303},
		"up to TLS 1.2":            {0x0a0a, 0x0303, 0x0301},
		"up to DTLS 1.2":           {0xfeff, 0xfefd},
		"no known version":         {0x0a0a},
	} {
		if got := highest(versions); got != want {
			t.Errorf("%04x: %s, want %s", versions, got, want)
		}
	}
}
