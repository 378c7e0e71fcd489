package client_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"strings"

	"github.com/chatd/chatd/chatdtest"
	"github.com/chatd/chatd/client"
)

// Dial opens one connection, on which Next returns one event after the other. A client that connects again resumes behind the
// Position of the last one.
func ExampleDial() {
	ctx := context.Background()
	server, alice := start(ctx)
	defer server.Close()

	conn, err := client.Dial(ctx, server.Endpoint, alice.Token, client.Options{HTTPClient: server.Client()})
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()

	thread := post(ctx, server, alice, "/chat/threads", `{"topic":"lunch"}`)
	post(ctx, server, alice, "/chat/threads/"+thread+"/messages", `{"content":"pizza?"}`)
	for {
		event, err := conn.Next(ctx)
		if err != nil {
			log.Fatal(err)
		}
		if event.Kind == client.MessageReceived && event.Message.Type == "text" {
			fmt.Println(event.Message.Content.Message)
			return
		}
	}
	// Output: pizza?
}

// Follow connects again when a connection ends, and delivers each event once. It asks for a token at each connection, since one
// may have expired.
func ExampleFollow() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	server, alice := start(ctx)
	defer server.Close()

	token := func(context.Context) (string, error) { return alice.Token, nil }
	options := client.Options{HTTPClient: server.Client(), After: "0"}
	post(ctx, server, alice, "/chat/threads", `{"topic":"lunch"}`)
	err := client.Follow(ctx, server.Endpoint, token, options, func(event client.Event) error {
		fmt.Println(event.Kind)
		cancel()
		return nil
	})
	fmt.Println(err)
	// Output:
	// chatThreadCreated
	// context canceled
}

// start runs a server for the example, with one user.
func start(ctx context.Context) (*chatdtest.Server, chatdtest.User) {
	server, err := chatdtest.New()
	if err != nil {
		log.Fatal(err)
	}
	user, err := server.CreateUser(ctx)
	if err != nil {
		log.Fatal(err)
	}
	return server, user
}

// post makes a request of the Chat API and returns the ID of a thread that it creates.
func post(ctx context.Context, server *chatdtest.Server, user chatdtest.User, path, body string) string {
	request, err := http.NewRequestWithContext(ctx, "POST", server.Endpoint+path+"?api-version=2025-03-15", strings.NewReader(body))
	if err != nil {
		log.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+user.Token)
	request.Header.Set("Content-Type", "application/json")
	answer, err := server.Client().Do(request)
	if err != nil {
		log.Fatal(err)
	}
	defer answer.Body.Close()
	var created struct{ ChatThread struct{ ID string } }
	if err := json.NewDecoder(answer.Body).Decode(&created); err != nil {
		log.Fatal(err)
	}
	return created.ChatThread.ID
}
