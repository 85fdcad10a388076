package handshake

func find(list []Extension, id uint16) *Extension {
	for i := range list {
		if list[i].ID == id {
			return &list[i]
		}
	}
	return nil
}

// value is the value of the extension with this number if it was read as a T, else T's zero value.
func value[T any](list []Extension, id uint16) (v T, ok bool) {
	if e := find(list, id); e != nil {
		v, ok = e.Value.(T)
	}
	return v, ok
}

// has says whether an extension without content is there and well formed.
func has(list []Extension, id uint16) bool {
	e := find(list, id)
	return e != nil && e.Err == ""
}

// Extension is the first extension with this number, or nil.
func (m *ClientHello) Extension(id uint16) *Extension { return find(m.Extensions, id) }

// Extension is the first extension with this number, or nil.
func (m *ServerHello) Extension(id uint16) *Extension { return find(m.Extensions, id) }

// Extension is the first extension with this number, or nil.
func (m *EncryptedExtensions) Extension(id uint16) *Extension { return find(m.Extensions, id) }

// ServerName is the host name that the client asks for as it was sent, or ""
// (RFC 6066 3). It may hold any bytes.
func (m *ClientHello) ServerName() string {
	v, _ := value[ServerName](m.Extensions, ExtServerName)
	return string(v)
}

// ALPN is the list of application protocols offered, most wanted first (RFC 7301 3.1).
func (m *ClientHello) ALPN() []string {
	v, _ := value[ALPN](m.Extensions, ExtALPN)
	return v
}

// Versions is what the client offers, most wanted first: supported_versions
// (RFC 8446 4.2.1), else client_version alone, which then is the highest that
// it speaks. GREASE values are included.
func (m *ClientHello) Versions() []uint16 {
	if v, ok := value[SupportedVersions](m.Extensions, ExtSupportedVersions); ok {
		return v
	}
	return []uint16{m.LegacyVersion}
}

// Offered is [ClientHello.Versions] with the number of the draft where the hello says in
// another way that it is one of TLS 1.3: with the number that the standard kept for the
// final version in the place of the old version, and the draft's in an extension of NSS.
func (m *ClientHello) Offered() []uint16 {
	e := m.Extension(extDraftVersion)
	if m.LegacyVersion != 0x0304 || m.Extension(ExtSupportedVersions) != nil || e == nil || len(e.Data) != 2 || e.Data[0] != 0 || e.Data[1] == 0 {
		return m.Versions()
	}
	return []uint16{0x7f00 | uint16(e.Data[1])}
}

// extDraftVersion is a number for private use, in which NSS sent the draft of TLS 1.3 up to draft 15.
const extDraftVersion = 0xff02

// IsDraft tells whether a version is the number of a draft of TLS 1.3, or of an experiment of its time.
func IsDraft(v uint16) bool { return (v>>8 == 0x7f || v>>8 == 0xfb) && v&0xff != 0 }

// KeyShares is the client's ephemeral public keys (RFC 8446 4.2.8), GREASE included.
func (m *ClientHello) KeyShares() []KeyShare {
	return keyShares(m.Extensions)
}

// keyShares is the value of key_share under its number, else of the one that it had in drafts.
func keyShares(list []Extension) KeyShares {
	v, ok := value[KeyShares](list, ExtKeyShare)
	if !ok {
		v, _ = value[KeyShares](list, ExtKeyShareDraft)
	}
	return v
}

// Groups is supported_groups, most wanted first, GREASE included (RFC 8446 4.2.7).
func (m *ClientHello) Groups() []uint16 {
	v, _ := value[SupportedGroups](m.Extensions, ExtSupportedGroups)
	return v
}

// PSK is the pre-shared keys that are offered, or nil (RFC 8446 4.2.11).
func (m *ClientHello) PSK() *OfferedPSKs {
	if v, ok := value[OfferedPSKs](m.Extensions, ExtPreSharedKey); ok {
		return &v
	}
	return nil
}

// HasEMS says whether the client offers the extended master secret (RFC 7627 5.1).
func (m *ClientHello) HasEMS() bool { return has(m.Extensions, ExtExtendedMasterSecret) }

// HasEtM says whether the client offers encrypt-then-MAC (RFC 7366 2).
func (m *ClientHello) HasEtM() bool { return has(m.Extensions, ExtEncryptThenMAC) }

// HasEarlyData says whether the client announces 0-RTT data (RFC 8446 4.2.10).
func (m *ClientHello) HasEarlyData() bool { return has(m.Extensions, ExtEarlyData) }

// SessionTicket is the ticket that the client hands back, and whether it sent
// the extension at all: empty, it asks for a new ticket (RFC 5077 3.2).
func (m *ClientHello) SessionTicket() ([]byte, bool) {
	v, _ := value[SessionTicket](m.Extensions, ExtSessionTicket)
	return v, has(m.Extensions, ExtSessionTicket)
}

// Version is the version that the server chose: selected_version where it is
// there, else server_version (RFC 8446 4.1.3, 4.2.1).
func (m *ServerHello) Version() uint16 {
	if v, ok := value[SelectedVersion](m.Extensions, ExtSupportedVersions); ok {
		return uint16(v)
	}
	return m.LegacyVersion
}

// KeyShare is the server's ephemeral public key, or nil: in TLS 1.2, with
// psk_ke and in a HelloRetryRequest there is none.
func (m *ServerHello) KeyShare() *KeyShare {
	if v := keyShares(m.Extensions); len(v) > 0 {
		return &v[0]
	}
	return nil
}

// SelectedGroup is the group that a HelloRetryRequest asks for, or 0 (RFC 8446 4.1.4).
func (m *ServerHello) SelectedGroup() uint16 {
	v, ok := value[SelectedGroup](m.Extensions, ExtKeyShare)
	if !ok {
		v, _ = value[SelectedGroup](m.Extensions, ExtKeyShareDraft)
	}
	return uint16(v)
}

// SelectedPSK is the index of the accepted one among the identities that the
// client offered, and whether one was accepted (RFC 8446 4.2.11).
func (m *ServerHello) SelectedPSK() (uint16, bool) {
	v, ok := value[SelectedPSK](m.Extensions, ExtPreSharedKey)
	return uint16(v), ok
}

// ALPN is the application protocol that the server chose, or "". In TLS 1.3
// it stands in EncryptedExtensions instead.
func (m *ServerHello) ALPN() string { return chosenALPN(m.Extensions) }

// ALPN is the application protocol that the server chose, or "".
func (m *EncryptedExtensions) ALPN() string { return chosenALPN(m.Extensions) }

func chosenALPN(list []Extension) string {
	if v, ok := value[ALPN](list, ExtALPN); ok && len(v) > 0 {
		return v[0]
	}
	return ""
}

// HasEMS says whether the server agrees to the extended master secret (RFC 7627 5.1).
func (m *ServerHello) HasEMS() bool { return has(m.Extensions, ExtExtendedMasterSecret) }

// HasEtM says whether the server agrees to encrypt-then-MAC (RFC 7366 2).
func (m *ServerHello) HasEtM() bool { return has(m.Extensions, ExtEncryptThenMAC) }

// HasEarlyData says whether the server takes the client's 0-RTT data (RFC 8446 4.2.10).
func (m *EncryptedExtensions) HasEarlyData() bool { return has(m.Extensions, ExtEarlyData) }

// DowngradeSentinel is what the last 8 bytes of the server's random say about
// a lower version than it could speak (RFC 8446 4.1.3): 0x0303 that it speaks
// TLS 1.3 and chose TLS 1.2, 0x0302 that it speaks at least TLS 1.2 and chose
// TLS 1.1 or older, 0 neither.
func (m *ServerHello) DowngradeSentinel() uint16 {
	switch string(m.Random[24:]) {
	case "DOWNGRD\x01":
		return 0x0303
	case "DOWNGRD\x00":
		return 0x0302
	}
	return 0
}
