package sqldb

import (
	"context"
	"time"
)

// DefaultTimeLimit is how long a transaction, or a statement outside of one, may take.
const DefaultTimeLimit = 10 * time.Second

type timeLimitKey struct{}

// WithTimeLimit sets another limit for the transactions of a context, as a migration needs.
func WithTimeLimit(ctx context.Context, d time.Duration) context.Context {
	return context.WithValue(ctx, timeLimitKey{}, d)
}

// TimeLimit returns how long a transaction of the context may take.
func TimeLimit(ctx context.Context) time.Duration {
	if d, ok := ctx.Value(timeLimitKey{}).(time.Duration); ok {
		return d
	}
	return DefaultTimeLimit
}
