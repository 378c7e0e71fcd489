package main

import (
	"fmt"
	"net/http"

	"github.com/chatd/chatd/bench/load"
	"github.com/chatd/chatd/bench/setup"
)

// path is something that clients do.
type path struct {
	name    string
	clients []int // how many do it at once
	status  int   // of a good answer
	request func(w *setup.World, who, n int) load.Request
}

const (
	sendSpread = "send, 1,000 threads"
	sendHot    = "send, one thread"
	listCold   = "list 50 messages, cold"
	listActive = "list 50 messages, active thread"
	openGet    = "GET for anybody"
	tokenGet   = "GET with a token"
)

// paths are what clients do, the n-th time in all by the client who.
var paths = []path{
	{sendSpread, []int{1, 16, 64}, 201, func(w *setup.World, who, n int) load.Request {
		return w.Send(thread(w, n).ID, member(w, who))
	}},
	{sendHot, []int{1, 16, 64}, 201, func(w *setup.World, who, _ int) load.Request {
		return w.Send(w.Hot, member(w, who))
	}},
	{listCold, []int{1, 16, 64}, 200, func(w *setup.World, _, n int) load.Request {
		return get(w.Threads[n%min(len(w.Threads), 1000)].Older, w.Members[0])
	}},
	{listActive, []int{1, 16, 64}, 200, func(w *setup.World, who, n int) load.Request {
		return newest(w, who, n%active)
	}},
	{"get message", []int{1, 16}, 200, func(w *setup.World, who, n int) load.Request {
		t := thread(w, n)
		return get(fmt.Sprintf("/chat/threads/%s/messages/%d%s", t.ID, t.First+int64(n*7)%(t.Last-t.First+1), setup.Version), member(w, who))
	}},
	{"list threads of a user with 1,000", []int{1, 16}, 200, listThreads},
	{"list 100 of 250 participants", []int{1, 16}, 200, func(w *setup.World, who, _ int) load.Request {
		return get("/chat/threads/"+w.Big+"/participants"+setup.Version+"&maxPageSize=100", member(w, who))
	}},
	{"read receipt", []int{1, 16, 64}, 200, func(w *setup.World, who, n int) load.Request {
		t := thread(w, n) // each reader gets on in each thread, as older receipts change nothing
		message := min(t.First+int64(n/len(w.Threads)), t.Last)
		return post("/chat/threads/"+t.ID+"/readReceipts", member(w, who), fmt.Sprintf(`{"chatMessageId":"%d"}`, message))
	}},
	{"typing", []int{1, 16, 64}, 200, func(w *setup.World, who, n int) load.Request {
		return post("/chat/threads/"+thread(w, n).ID+"/typing", member(w, who), `{"senderDisplayName":"Margaret"}`)
	}},
	{"create thread", []int{1, 16}, 201, func(w *setup.World, who, n int) load.Request {
		other := w.Crowd[n%len(w.Crowd)].ID
		return post("/chat/threads", w.Crowd[who%len(w.Crowd)],
			`{"topic":"benchmark","participants":[{"communicationIdentifier":{"communicationUser":{"id":"`+other+`"}},"displayName":"Margaret"}]}`)
	}},
	{openGet, []int{16}, 200, func(*setup.World, int, int) load.Request {
		return load.Request{Method: http.MethodGet, Path: "/healthz"}
	}},
	{tokenGet, []int{16}, 404, func(w *setup.World, who, _ int) load.Request {
		return get("/chat/threads/malformed?api-version=2025-03-15", member(w, who)) // needs a token and no store
	}},
}

const active = 16 // threads that are read much

func member(w *setup.World, who int) setup.User { return w.Members[who%len(w.Members)] }

func thread(w *setup.World, n int) *setup.Thread { return &w.Threads[n%len(w.Threads)] }

func newest(w *setup.World, who, n int) load.Request {
	return get("/chat/threads/"+thread(w, n).ID+"/messages"+setup.Version+"&maxPageSize=50", member(w, who))
}

func listThreads(w *setup.World, who, _ int) load.Request {
	return get("/chat/threads"+setup.Version, member(w, who))
}

func get(path string, as setup.User) load.Request {
	return load.Request{Method: http.MethodGet, Path: path, Token: as.Token}
}

func post(path string, as setup.User, body string) load.Request {
	return load.Request{Method: http.MethodPost, Path: path + setup.Version, Token: as.Token, Body: body}
}
