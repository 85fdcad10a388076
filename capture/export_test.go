package capture

// Kept returns how many connections, client randoms and key log lines are kept.
func (d *Decoder) Kept() (conns, randoms, lines int) {
	for _, n := range d.secrets.lines.live {
		lines += n
	}
	return len(d.conns), len(d.secrets.used), lines
}
