package web

const frameHeader = 9 // bytes (RFC 9113 4.1)

// frames is the state of one direction of HTTP/2.
type frames struct{}

func (c *Conn) beginHTTP2(h *half) {
	h.frames = new(frames)
	c.fail(h, "not-http")
}
