package httpapi

import (
	"net/http"
	"strconv"

	"github.com/chatd/chatd/internal/chat"
)

// listParticipants gives a page a nextLink only when there is more (9 of 9 recorded lists).
func (s *server) listParticipants(c *call) (reply, error) {
	limit, skip, err := c.window(chat.ParticipantPage)
	if err != nil {
		return reply{}, err
	}
	thread := c.thread()
	present, err := s.Chat.ListParticipants(c, c.user(), thread, skip, limit+1)
	if err != nil {
		return reply{}, err
	}
	return ok(window(c, "/chat/threads/"+string(thread)+"/participants", models(present, toParticipant), limit, skip))
}

type addParticipantsRequest struct {
	Participants []participantModel `json:"participants"`
}

type addParticipantsReply struct {
	InvalidParticipants []invalidModel `json:"invalidParticipants,omitempty"`
}

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

func (s *server) removeParticipant(c *call, in identifierModel) (reply, error) {
	return done(http.StatusNoContent, s.Chat.RemoveParticipant(c, c.user(), c.thread(), in.identity()))
}

type updateParticipantRequest struct {
	Identifier  *identifierModel `json:"communicationIdentifier"`
	DisplayName *string          `json:"displayName"`
	RoleIDs     []string         `json:"roleIds"`
}

// updateParticipant was in one preview only.
func (s *server) updateParticipant(c *call, in updateParticipantRequest) (reply, error) {
	update := chat.ParticipantUpdate{Identity: in.Identifier.identity(), DisplayName: in.DisplayName, Roles: in.RoleIDs}
	return done(http.StatusNoContent, s.Chat.UpdateParticipant(c, c.user(), c.thread(), update))
}

// window reads maxPageSize and skip.
func (c *call) window(limit chat.PageLimit) (size, skip int, err error) {
	if size, err = c.page(limit); err == nil {
		skip, err = c.number("skip", 0, 0)
	}
	return size, skip, err
}

// window cuts a list that was read one further than the page, to know whether there is more.
func window[T any](c *call, path string, all []T, limit, skip int) list[T] {
	out := list[T]{Value: all[:min(limit, len(all))]}
	if len(all) > limit {
		out.NextLink = c.next(path, limit, "skip", strconv.Itoa(skip+limit))
	}
	return out
}
