package rows

// HoldAtMost has a merger hold fewer bytes of rows in memory.
func HoldAtMost(m *Merger, bytes int) { m.rows.limit, m.out.limit = bytes, bytes }
