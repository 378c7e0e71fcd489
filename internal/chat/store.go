package chat

import "context"

// Store keeps threads. Each method is atomic and safe for concurrent use; what a method that writes has returned
// without error survives a crash of the process. Methods return *Error with kind NotFound for a thread that does
// not exist, Unavailable while the store cannot be reached, and the context's error when it ended before the
// operation began.
type Store interface {
	// Create stores a new thread, its participants, messages and events. When a thread of that id is there already,
	// nothing is written and the Creation kept with the first one is returned.
	Create(ctx context.Context, c *Change, answer Creation) (Creation, error)

	// Post gives a message its place and stores it with its event. It answers ErrStale when the thread's roster
	// version or messaging policy is not the post's, or the thread is deleted.
	Post(ctx context.Context, p *Post) (Message, error)

	// Update loads the thread under its lock, lets decide compute a change and applies it; nil changes nothing.
	// decide may run more than once and must not call the Store. An error of decide is returned as it is.
	Update(ctx context.Context, id ThreadID, decide func(View) (*Change, error)) error

	// Note journals an event that changes nothing.
	Note(ctx context.Context, e Event) error

	// Access returns the thread and the user's latest stay in it; to a user whose stay ended, the properties and the newest
	// message of the thread as they left it. A deleted thread is returned with DeletedOn set.
	Access(ctx context.Context, id ThreadID, user Identity) (Access, error)

	// Recent is an Access that may be out of date: enough to decide on a post, which is checked when it is stored.
	Recent(ctx context.Context, id ThreadID, user Identity) (Access, error)

	// Message returns one message, or an *Error of kind NotFound.
	Message(ctx context.Context, thread ThreadKey, id MessageID) (*Message, error)

	// Messages returns messages newest first, which may be remembered for others too: they are not to be changed.
	Messages(ctx context.Context, thread ThreadKey, q MessageQuery) ([]Message, error)

	// Participants returns those present, in the order of joining, and the mark of the next page, nil when there is none.
	// All lists by marks hold what was in them from the first page on, at most once, whatever moves meanwhile.
	Participants(ctx context.Context, thread ThreadKey, q PageQuery) ([]Participant, Mark, error)

	// Receipts returns the latest receipt of each reader, newest first, with marks as Participants has them.
	Receipts(ctx context.Context, thread ThreadKey, q PageQuery) ([]ReadReceipt, Mark, error)

	// ThreadsOf returns the threads in which the user has or had a stay, latest message first as of the first page,
	// with marks likewise; threads that they left are as they were then, but for DeletedOn.
	ThreadsOf(ctx context.Context, user Identity, q ThreadQuery) ([]ThreadItem, Mark, error)

	// Known returns those of the users that exist and are not deleted.
	Known(ctx context.Context, users []Identity) (map[Identity]bool, error)

	// AddImage keeps an image, if its owner has fewer than perDay of the 24 hours before it, or perDay is 0: else it is an
	// *Error of kind TooMany.
	AddImage(ctx context.Context, thread ThreadKey, i *Image, perDay int) error

	// Image returns an image, or an *Error of kind NotFound.
	Image(ctx context.Context, thread ThreadKey, id string) (*Image, error)

	// DeleteImage removes the bytes and the name of an image; its id and owner stay, so that a repetition is known as one.
	// One that is not there is no error.
	DeleteImage(ctx context.Context, thread ThreadKey, id string) error

	// Expired returns up to limit threads that are not deleted and whose retention ended at or before now.
	Expired(ctx context.Context, now Time, limit int) ([]ThreadID, error)

	// Purge removes what nobody can read any more: all rows of threads deleted before the given time, and events
	// journaled before it.
	Purge(ctx context.Context, before Time) error

	// PurgeTyping removes typing events before the given time from the journal. The oldest and the newest event
	// stay, as the marks of where the journal begins and ends.
	PurgeTyping(ctx context.Context, before Time) error
}

// Creation is what a create answered, kept so that its repetition answers the same.
type Creation struct {
	Thread  Thread
	Invalid []InvalidParticipant
}

// View is a thread seen inside its lock.
type View interface {
	// Access returns the thread and the user's latest stay.
	Access(user Identity) (*Access, error)
	// Present returns everybody present, in the order of joining.
	Present() ([]Participant, error)
	// Message returns one message, or an *Error of kind NotFound.
	Message(id MessageID) (*Message, error)
	// Receipt returns the reader's receipt, nil when there is none.
	Receipt(reader Identity) (*ReadReceipt, error)
}

// MessageQuery selects messages of a thread.
type MessageQuery struct {
	From   MessageID // first to be seen
	To     MessageID // last to be seen; 0: no bound
	Before MessageID // where the page before ended; 0: begin with the newest
	Limit  int

	// Newest and Edited are of the thread as the asker has just read it, LastID and Edited: what the store remembers of that
	// state is an answer. A Newest of 0 has the messages read.
	Newest MessageID
	Edited int64

	// Left is the roster version at which the asker left, 0 while they are there: messages are as they were then. Store
	// remembers nothing of such an answer.
	Left RosterVersion
}

// Mark is where a page of a list ended and what the store has to know to go on there. Only the store reads it; a mark of
// another list is an *Error of kind Invalid.
type Mark []int64

// PageQuery selects a part of a list.
type PageQuery struct {
	Skip  int  // how many of the first are left out; counts on the first page only
	After Mark // where the page before ended; nil: begin
	Limit int
}

// ThreadQuery selects threads of a user.
type ThreadQuery struct {
	Since Time // only those with activity at or after
	Now   Time // set by the Service
	After Mark // where the page before ended; nil: begin with the latest
	Limit int
}
