package chat

// sendReceipt notes that the reader has read up to a message: any message that the reader sees, one's own and system
// messages too (recordings of the CLI and Java suites). Only the latest is kept, so an older one changes nothing; and in
// a thread of many participants none is kept, although none is refused either (azure-sdk-for-net issue 31413).
func sendReceipt(a *Access, reader Identity, m MessageID, kept *ReadReceipt, now Time) (*Change, error) {
	if err := a.member(reader); err != nil {
		return nil, err
	}
	if !a.sees(m) {
		return nil, notFound("message is outside the history of the participant")
	}
	if a.Thread.Present > MaxReceiptParticipants || (kept != nil && kept.MessageID >= m) {
		return nil, nil
	}
	c := begin(&a.Thread, reader, a.Stay.DisplayName, now)
	c.Receipt = &ReadReceipt{Reader: reader, MessageID: m, ReadOn: c.At}
	if kept != nil { // which may have been read by a clock that was ahead
		c.Receipt.ReadOn = max(c.At, kept.ReadOn)
	}
	return c.done(), nil
}
