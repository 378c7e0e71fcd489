package chat

import (
	"testing"
	"time"
)

// newYear is 2022-01-01T00:00:00Z.
const newYear Time = 1640995200000

func TestParseTime(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Time{
		// Forms that the SDKs send.
		"2022-01-01T00:00:00Z":              newYear,
		"2022-01-01T00:00:00.000Z":          newYear,
		"2022-01-01T00:00:00.9999999Z":      newYear + 999,
		"2022-01-01T02:00:00.0000000+02:00": newYear,
		"2021-12-31T18:30:00-05:30":         newYear,

		// What RFC 3339 allows besides: small letters, a space, any number of digits, a leap second.
		"2022-01-01t00:00:00z":                        newYear,
		"2022-01-01 00:00:00Z":                        newYear,
		"2022-01-01T00:00:00.1234567890123456789012Z": newYear + 123,
		"2022-01-01T00:00:00-00:00":                   newYear,
		"2021-12-31T23:59:60Z":                        newYear,
		"2022-01-01T01:59:60+02:00":                   newYear,
		"2021-12-31T23:59:60.5Z":                      newYear + 500,
		"0000-01-01T00:00:00Z":                        -62167219200000,
		"9999-12-31T23:59:59Z":                        253402300799000,
		"2020-02-29T00:00:00Z":                        1582934400000,

		// What .NET allows besides: no seconds, offsets without a colon or minutes, no offset, no time of day.
		"2022-01-01T00:00Z":          newYear,
		"2022-01-01t00:00z":          newYear,
		"2022-01-01T02:00+0200":      newYear,
		"2022-01-01T00:00:00+0000":   newYear,
		"2022-01-01T02:00:00+02":     newYear,
		"2022-01-01T00:00:00.5":      newYear + 500,
		"2022-01-01T00:00:00":        newYear,
		"2022-01-01T00:00":           newYear,
		"2022-01-01 00:00":           newYear,
		"2022-01-01":                 newYear,
		"2022-01-01 02:00:00 +02:00": newYear,
		"2022-01-01 00:00:00 Z":      newYear,

		// A plus that nobody escaped in a query has become a space.
		"2022-01-01T02:00:00 02:00":  newYear,
		"2022-01-01T02:00 0200":      newYear,
		"2022-01-01 02:00:00  02:00": newYear,

		// The form that the service itself puts into nextLink.
		"1/1/1970 12:00:00 AM +00:00": 0,
		"1/1/1970 12:00:00 AM  00:00": 0,
		"1/1/2022 2:00:00 PM +14:00":  newYear,
	} {
		if got, err := ParseTime(text); err != nil || got != want {
			t.Errorf("%q is %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", " ", "Z", "T", "2022", "2022-01", "2022-1-1", "22-01-01", "2022-01-01Z", "2022-01-01+02:00", "2022-01-01T", "2022-01-01T00", "2022-01-01T00Z",
		"2022-01-01T0:00:00Z", "2022-01-01T00:00:00ZZ", "2022-01-01T00:00:00Z Z", "2022-01-01  00:00:00Z", "2022-01-01T00:00:00,5Z", "2022-01-01T00:00:00.Z",
		"2022-01-01T24:00:00Z", "2022-01-01T00:60:00Z", "2022-01-01T00:00:61Z", "2022-01-01T00:00:60Z", "2022-01-01T23:59:60+02:00",
		"2022-02-29T00:00:00Z", "2022-13-01T00:00:00Z", "2022-00-10T00:00:00Z", "2022-01-00T00:00:00Z", "2022-01-32", "10000-01-01T00:00:00Z",
		"-2022-01-01T00:00:00Z", "+2022-01-01", "2022-01-01T00:00:00+24:00", "2022-01-01T00:00:00+02:60", "2022-01-01T00:00:00+2", "2022-01-01T00:00:00+2:00",
		"2022-01-01T00:00:00+02:000", "2022-01-01T00:00:00UTC", "20220101T000000Z", "2022-W01-1", "1640995200", "yesterday", "12:00",
		" 2022-01-01T00:00:00Z", "2022-01-01T00:00:00Z\n", "\uff12022-01-01", "1/1/1970", "13/1/1970 12:00:00 AM +00:00", "1/1/1970 12:00:00 AM",
	} {
		if got, err := ParseTime(text); err == nil {
			t.Errorf("%q is %d, want an error", text, got)
		}
	}
}

// FuzzParseTime holds the parser against that of the standard library, which reads a part of what it reads.
func FuzzParseTime(f *testing.F) {
	for _, text := range []string{
		"2022-01-01T00:00:00.000Z", "2022-01-01t02:00+0200", "2021-12-31T23:59:60Z", "2022-01-01 02:00:00  02:00", "1/1/1970 12:00:00 AM +00:00",
		"2022-01-01", "0000-01-01T00:00:00+23:59", "9999-12-31T23:59:59.999-23:59", "", " ", "Z", "\x00", "2022-01-01T00:00:00.99999999999999999999",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := ParseTime(text)
		var strict time.Time
		if strict.UnmarshalText([]byte(text)) == nil && (err != nil || got != TimeOf(strict)) {
			t.Fatalf("%q is %d, %v, want %d", text, got, err, TimeOf(strict))
		}
		if err != nil {
			return
		}
		at := got.Std()
		if y := at.Year(); y < -1 || y > 10000 {
			t.Fatalf("%q is %s", text, at)
		}
		if again, err := ParseTime(at.Format(time.RFC3339Nano)); at.Year() >= 0 && at.Year() <= 9999 && (err != nil || again != got) {
			t.Fatalf("%q is %s, read again %d, %v", text, at, again, err)
		}
	})
}

func TestTimeArithmetic(t *testing.T) {
	t.Parallel()
	if got := Time(1000).Add(2*time.Second + 900*time.Microsecond); got != 3000 {
		t.Errorf("1000 and 2.0009 s are %d", got)
	}
	if got := Time(3000).Sub(1000); got != 2*time.Second {
		t.Errorf("from 1000 to 3000 it is %s", got)
	}
	if got := Time(3000).String(); got != "3000" {
		t.Errorf("3000 is %q", got)
	}
}
