package chatdtest

import (
	"time"

	"github.com/chatd/chatd/internal/clock"
)

// Clock is the time of a server: of messages, of the expiry of tokens, of retention. It begins at the machine's time and runs with
// it until a test changes that. Its methods may be called at any time, by several goroutines.
//
// Deadlines of connections stay on the machine's time. So do the clocks of clients: a request that is signed with the access key
// carries the client's time and is refused when the server's is more than 15 minutes away, while user tokens work.
type Clock struct{ manual *clock.Manual }

// Now returns the server's time.
func (c *Clock) Now() time.Time { return c.manual.Now() }

// Advance moves the clock on by d. What came due on the way has begun when it returns, in order.
func (c *Clock) Advance(d time.Duration) { c.manual.Advance(d) }

// Set moves the clock to a time, which may lie before its present one.
func (c *Clock) Set(to time.Time) { c.manual.Set(to) }

// Freeze stops the clock; Advance and Set still move it.
func (c *Clock) Freeze() { c.manual.Freeze() }

// Resume lets the clock run on from its present time.
func (c *Clock) Resume() { c.manual.Resume() }
