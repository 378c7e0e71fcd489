package chat

import (
	"cmp"
	"errors"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Time is a moment in milliseconds since 1970-01-01T00:00:00Z, the finest unit the service shows: message ids
// and versions are such numbers. Where a moment is optional, 0 means that it has not come.
type Time int64

// TimeOf cuts t to milliseconds.
func TimeOf(t time.Time) Time { return Time(t.UnixMilli()) }

// Add returns the moment that is d later, cut to milliseconds.
func (t Time) Add(d time.Duration) Time { return t + Time(d.Milliseconds()) }

// Sub returns the time from u to t.
func (t Time) Sub(u Time) time.Duration { return time.Duration(t-u) * time.Millisecond }

// String returns the number of milliseconds in decimal digits.
func (t Time) String() string { return strconv.FormatInt(int64(t), 10) }

// Std returns the moment as a time.Time in UTC.
func (t Time) Std() time.Time { return time.UnixMilli(int64(t)).UTC() }

var errTime = errors.New("no time")

var (
	isoTime = regexp.MustCompile(`^([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[Tt ]([0-9]{2}:[0-9]{2})(?::([0-9]{2})(\.[0-9]+)?)?(?: ?([Zz]|[+ -](?:[01][0-9]|2[0-3])(?::?[0-5][0-9])?))?)?$`)
	ownTime = regexp.MustCompile(`^([0-9/]+ [0-9:]+ [AP]M) [+ ]([0-9]{2}:[0-9]{2})$`)
)

// ParseTime reads a moment in the forms of RFC 3339 and those of ISO 8601 that .NET reads besides: the seconds, the offset or
// the whole time of day may be left out, an offset may be without its colon or minutes, and a space may stand before it. A
// moment without an offset is UTC. The service writes a form of its own into nextLink and takes it back (recordings of the
// JavaScript suite). An offset may begin with a space, which a plus in a query is that was not escaped.
func ParseTime(text string) (Time, error) {
	if m := ownTime.FindStringSubmatch(text); m != nil {
		t, err := time.Parse("1/2/2006 3:04:05 PM -07:00", m[1]+" +"+m[2])
		return TimeOf(t), err
	}
	m := isoTime.FindStringSubmatch(text)
	if m == nil {
		return 0, errTime
	}
	second, offset := cmp.Or(m[3], "00"), cmp.Or(strings.ToUpper(m[5]), "Z")
	leap := second == "60" // which package time does not have: the first second of the next day
	if leap {
		second = "59"
	}
	if offset != "Z" {
		offset = strings.Replace(strings.ReplaceAll(offset, ":", ""), " ", "+", 1) + "00"
		offset = offset[:3] + ":" + offset[3:5]
	}
	t, err := time.Parse(time.RFC3339Nano, m[1]+"T"+cmp.Or(m[2], "00:00")+":"+second+m[4]+offset)
	if err != nil || !leap {
		return TimeOf(t), err
	}
	if t = t.UTC(); t.Hour() != 23 || t.Minute() != 59 {
		return 0, errTime
	}
	return TimeOf(t.Add(time.Second)), nil
}
