package chat

import "time"

// Time is a moment in milliseconds since 1970-01-01T00:00:00Z, the finest unit the service shows: message ids
// and versions are such numbers. Where a moment is optional, 0 means that it has not come.
type Time int64

// TimeOf cuts t to milliseconds.
func TimeOf(t time.Time) Time { return Time(t.UnixMilli()) }

// Std returns the moment as a time.Time in UTC.
func (t Time) Std() time.Time { return time.UnixMilli(int64(t)).UTC() }
