package chat

// Participant is a user's stay in a thread: from the roster version at which they joined to the one at which they left. A user
// who comes back begins a new stay.
type Participant struct {
	Identity    Identity
	DisplayName string
	ShareFrom   Time // messages that arrived before are hidden; 0 shows all
	Metadata    map[string]string
	Roles       []string // ids that mean something to clients only
	Joined      RosterVersion
	Left        RosterVersion // 0 while present
	Until       MessageID     // the last message of the stay: it tells of the removal
}

// NewParticipant is a user to be added.
type NewParticipant struct {
	Identity    Identity
	DisplayName string
	ShareFrom   Time
	Metadata    map[string]string
	Roles       []string
}

// ParticipantUpdate changes how a participant appears; what is nil stays as it is.
type ParticipantUpdate struct {
	Identity    Identity
	DisplayName *string
	Roles       []string
}

// InvalidParticipant is a user who could not be added; the others were.
type InvalidParticipant struct {
	Identity Identity `json:"target"`
	Code     string   `json:"code"`
	Message  string   `json:"message"`
}

// Access is what one user may see of a thread: the thread, as it was when they left if they did, and the user's latest stay in it.
type Access struct {
	Thread Thread
	Stay   *Participant // nil for a user who never took part
}

// member refuses a user who is not in the thread now.
func (a *Access) member(user Identity) error {
	if a.Stay == nil || a.Stay.Left != 0 {
		return errNotMember(user, a.Thread.ID)
	}
	return nil
}

// reader refuses a user who never took part. A removed participant still reads the history up to the removal (concepts page of
// ACS Chat; Azure/Communication issue 345), as it was then, without later changes. The service's own rule is not known; this one
// follows the Matrix specification for rooms that were left.
func (a *Access) reader(user Identity) error {
	if a.Stay == nil {
		return errNotMember(user, a.Thread.ID)
	}
	return nil
}

// first and last bound the messages that the user may see; last is 0 where there is no bound.
func (a *Access) first() MessageID { return MessageID(a.Stay.ShareFrom) }
func (a *Access) last() MessageID  { return a.Stay.Until }

func (a *Access) sees(id MessageID) bool {
	return id >= a.first() && (a.last() == 0 || id <= a.last())
}
