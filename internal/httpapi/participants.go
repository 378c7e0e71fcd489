package httpapi

import (
	"context"
	"net/http"
	"strconv"

	"github.com/chatd/chatd/internal/chat"
)

// listParticipants has a nextLink only if there are more (9 of 9 recorded lists).
func (s *server) listParticipants(c *call) (reply, error) {
	return listBySkip(s, c, "participants", chat.ParticipantPage, s.Chat.ListParticipants, toParticipant)
}

// addParticipantsRequest has up to 200 participants (service limits page of the ACS documentation).
type addParticipantsRequest struct {
	Participants []participantModel `json:"participants"`
}

// addParticipantsReply is {} if all could be added, and not an empty body (recordings).
type addParticipantsReply struct {
	InvalidParticipants []invalidParticipantModel `json:"invalidParticipants,omitempty"`
}

// addParticipants answers 201 even if some participants cannot be added, and names those.
func (s *server) addParticipants(c *call, in addParticipantsRequest) (reply, error) {
	if in.Participants == nil {
		return reply{}, invalid("The participants are missing.")
	}
	bad, err := s.Chat.AddParticipants(c, c.user(), c.thread(), fromParticipants(in.Participants))
	if err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusCreated, body: addParticipantsReply{toInvalid(bad)}}, nil
}

// removeParticipant takes an identifier as its body. Participants may remove others and themselves.
func (s *server) removeParticipant(c *call, in identifierModel) (reply, error) {
	return noBody(http.StatusNoContent, s.Chat.RemoveParticipant(c, c.user(), c.thread(), in.identity()))
}

// updateParticipantRequest leaves what is absent unchanged.
type updateParticipantRequest struct {
	Identifier  *identifierModel `json:"communicationIdentifier"`
	DisplayName *string          `json:"displayName"`
	RoleIDs     []string         `json:"roleIds"`
}

// updateParticipant changes the display name and the roles. Only one preview had it.
func (s *server) updateParticipant(c *call, in updateParticipantRequest) (reply, error) {
	update := chat.ParticipantUpdate{Identity: in.Identifier.identity(), DisplayName: in.DisplayName, Roles: in.RoleIDs}
	return noBody(http.StatusNoContent, s.Chat.UpdateParticipant(c, c.user(), c.thread(), update))
}

// listBySkip answers with a page of a list of the thread. Its nextLink has skip, as that of the service, but goes on by syncState:
// with skip alone a page would miss a participant whenever an earlier one leaves. A request with skip and no syncState comes
// from a client that counts itself.
func listBySkip[T, W any](s *server, c *call, name string, sizes chat.PageLimit,
	read func(context.Context, chat.Identity, chat.ThreadID, chat.PageQuery) ([]T, chat.Mark, error), render func(*T) W,
) (reply, error) {
	limit, err := c.page(sizes)
	if err != nil {
		return reply{}, err
	}
	skip, err := c.number("skip", 0, 0)
	if err != nil {
		return reply{}, err
	}
	after, err := s.cursor(c, name)
	if err != nil {
		return reply{}, err
	}
	items, next, err := read(c, c.user(), c.thread(), chat.PageQuery{Skip: skip, After: after, Limit: limit})
	if err != nil {
		return reply{}, err
	}
	out := list[W]{Value: convert(items, render)}
	if next != nil {
		out.NextLink = c.nextLink("/chat/threads/"+string(c.thread())+"/"+name, limit, "skip", strconv.Itoa(skip+len(items))) +
			"&syncState=" + s.newCursor(c, name, next...)
	}
	return ok(out)
}
