// Package pcap reads capture files as what their TCP connections carried, and writes the proxy's own recordings.
package pcap
