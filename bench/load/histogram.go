package load

import (
	"math/bits"
	"time"
)

// Histogram counts durations in buckets that are at most 1/64 of their value wide, so that a quantile is right to 2 %.
// The zero value is empty.
type Histogram struct {
	counts [buckets]uint64
	total  uint64
}

const (
	fineBits = 6 // buckets for each power of two, as a power of two
	fine     = 1 << fineBits
	buckets  = (64 - fineBits) * fine
)

// bucketOf returns the bucket of a number of nanoseconds: exact below 64, then 64 for each power of two.
func bucketOf(ns uint64) int {
	shift := max(0, bits.Len64(ns)-fineBits-1)
	return shift*fine + int(ns>>shift)
}

// upper is the greatest number of a bucket.
func upper(bucket int) uint64 {
	shift := max(0, bucket/fine-1)
	return (uint64(bucket-shift*fine)+1)<<shift - 1
}

// Add counts a duration.
func (h *Histogram) Add(d time.Duration) {
	h.counts[bucketOf(uint64(max(0, d)))]++
	h.total++
}

// Merge adds all that another has counted.
func (h *Histogram) Merge(other *Histogram) {
	for i, n := range other.counts {
		h.counts[i] += n
	}
	h.total += other.total
}

// Count is how many durations were counted.
func (h *Histogram) Count() uint64 { return h.total }

// Quantile is the duration that a share q of all do not exceed; 0 when there are none.
func (h *Histogram) Quantile(q float64) time.Duration {
	rank := max(1, uint64(q*float64(h.total)+0.5))
	seen := uint64(0)
	for i, n := range h.counts {
		if seen += n; n > 0 && seen >= rank {
			return time.Duration(upper(i))
		}
	}
	return 0
}
