package page

import "explainer/annotate/redo"

// wireshark and curl take a message elsewhere; FILE stands for the recording, whose name the
// page does not know.
func wireshark(l line) string { return redo.Wireshark(l.Event, "FILE") }

func curl(l line) string { return redo.Curl(l.Event) }
